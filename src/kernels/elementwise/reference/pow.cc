// Pow of f32 with broadcasting. The exponents that networks use (2, 3, 1/2, -1/2, -1) are products and roots.
#include <cmath>

#include "src/kernels/elementwise/broadcast_runs.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  BroadcastLoops loops;
};

template <class F>
void Each(const float* x, int64_t step, int64_t count, float* y, F f) {
  for (int64_t i = 0; i < count; ++i) y[i] = f(x[i * step]);
}

void ToOnePower(const float* x, int64_t step, float exponent, int64_t count, float* y) {
  if (exponent == 2) return Each(x, step, count, y, [](float v) { return v * v; });
  if (exponent == 3) return Each(x, step, count, y, [](float v) { return v * v * v; });
  if (exponent == 1) return Each(x, step, count, y, [](float v) { return v; });
  if (exponent == -1) return Each(x, step, count, y, [](float v) { return 1 / v; });
  // Of -0 and -infinity a power is never negative, as a root of -0 is.
  if (exponent == 0.5f)
    return Each(x, step, count, y, [](float v) { return v == -HUGE_VALF ? HUGE_VALF : std::sqrt(v + 0.0f); });
  Each(x, step, count, y, [exponent](float v) { return std::pow(v, exponent); });
}

void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const BroadcastLoops& loops = args.loops;
  const int last = loops.rank - 1;
  const int64_t x_step = loops.strides[0][last], e_step = loops.strides[1][last];
  ForEachRun(loops, begin, end, [&](const auto& offsets, int64_t at, int64_t count) {
    const float* x = static_cast<const float*>(inputs[0]) + offsets[0];
    const float* exponent = static_cast<const float*>(inputs[1]) + offsets[1];
    float* y = static_cast<float*>(outputs[0]) + at;
    if (e_step == 0) {
      ToOnePower(x, x_step, *exponent, count, y);
    } else {
      for (int64_t i = 0; i < count; ++i) y[i] = std::pow(x[i * x_step], exponent[i * e_step]);
    }
  });
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i : {0, 1}) {
    if (problem.input(i).dtype != DType::kFloat32) return UserError("input {} is not float32", i);
  }
  return MakeBroadcastLoops(problem, 2).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  Args args;
  TAMIS_ASSIGN_OR_RETURN(args.loops, MakeBroadcastLoops(problem, 2));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Body, args.loops.count, 16384, problem.threads));
}

}  // namespace

extern const KernelDef kernel_pow = {
    .name = "pow",
    .family = "elementwise",
    .ops = {"Pow"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
