// IsNaN and IsInf of f32 and f64.
#include <limits>

#include "src/kernels/elementwise/typed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  bool nan = true, positive = true, negative = true;
};

template <class T>
void Classify(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
              std::byte* /*scratch*/) {
  const T* x = static_cast<const T*>(inputs[0]) + begin;
  auto* y = static_cast<uint8_t*>(outputs[0]) + begin;
  const int64_t n = end - begin;
  if (args.nan) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] != x[i] ? 1 : 0;
    return;
  }
  // Bounds that nothing equals where a sign is not asked for.
  constexpr T kInfinity = std::numeric_limits<T>::infinity(), kNan = std::numeric_limits<T>::quiet_NaN();
  const T high = args.positive ? kInfinity : kNan, low = args.negative ? -kInfinity : kNan;
  for (int64_t i = 0; i < n; ++i) y[i] = ((x[i] == high) | (x[i] == low)) ? 1 : 0;
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
    return UserError("input 0 is {}; float32 and float64 are supported", Name(dtype));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  args.nan = problem.node->op == "IsNaN";
  args.positive = problem.node->Int("detect_positive", 1) != 0;
  args.negative = problem.node->Int("detect_negative", 1) != 0;
  const auto body = problem.input(0).dtype == DType::kFloat32 ? Classify<float> : Classify<double>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, body, Elements(problem.input(0)), 65536, problem.threads));
}

}  // namespace

extern const KernelDef kernel_classify = {
    .name = "classify",
    .family = "elementwise",
    .ops = {"IsNaN", "IsInf"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
