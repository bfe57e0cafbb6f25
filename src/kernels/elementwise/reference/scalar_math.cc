// Functions of f32 that few networks spend time in: the C library's, element by element, on all threads.
#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  float (*function)(float) = nullptr;
};

void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const float* x = static_cast<const float*>(inputs[0]);
  float* y = static_cast<float*>(outputs[0]);
  for (int64_t i = begin; i < end; ++i) y[i] = args.function(x[i]);
}

float (*FunctionOf(const std::string& op))(float) {
  if (op == "Log") return [](float x) { return std::log(x); };
  if (op == "Sin") return [](float x) { return std::sin(x); };
  if (op == "Cos") return [](float x) { return std::cos(x); };
  if (op == "Floor") return [](float x) { return std::floor(x); };
  if (op == "Ceil") return [](float x) { return std::ceil(x); };
  return [](float x) { return std::nearbyint(x); };  // Round: ties to even
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat32)
    return UserError("computes float32, not {}", Name(problem.input(0).dtype));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Args args{FunctionOf(problem.node->op)};
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Body, Elements(problem.input(0)), 4096, problem.threads));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 40.0 * static_cast<double>(Elements(problem.input(0))));
}

}  // namespace

extern const KernelDef kernel_scalar_math = {
    .name = "scalar_math",
    .family = "elementwise",
    .ops = {"Log", "Sin", "Cos", "Floor", "Ceil", "Round"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
