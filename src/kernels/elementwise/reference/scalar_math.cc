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
  if (op == "Tan") return [](float x) { return std::tan(x); };
  if (op == "Asin") return [](float x) { return std::asin(x); };
  if (op == "Acos") return [](float x) { return std::acos(x); };
  if (op == "Sinh") return [](float x) { return std::sinh(x); };
  if (op == "Cosh") return [](float x) { return std::cosh(x); };
  if (op == "Asinh") return [](float x) { return std::asinh(x); };
  if (op == "Acosh") return [](float x) { return std::acosh(x); };
  return [](float x) { return std::atanh(x); };
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
    .ops = {"Tan", "Asin", "Acos", "Sinh", "Cosh", "Asinh"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
