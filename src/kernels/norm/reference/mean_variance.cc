// MeanVarianceNormalization of f32 where the axes that stay are neighbours: [outer, kept, inner], and each kept index
// has a mean and a deviation over the others.
#include <cmath>

#include "src/kernels/norm/row_sums.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct Args {
  int64_t outer = 1, kept = 1, inner = 1;
};

void Items(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
           std::byte* /*scratch*/) {
  const int64_t stride = args.kept * args.inner;
  const auto count = static_cast<double>(args.outer * args.inner);
  for (int64_t item = begin; item < end; ++item) {
    const float* x = static_cast<const float*>(inputs[0]) + item * args.inner;
    float* y = static_cast<float*>(outputs[0]) + item * args.inner;
    const auto sum = [&](auto f) {
      double total = 0;
      for (int64_t o = 0; o < args.outer; ++o) total += SumOfRow(x + o * stride, args.inner, f);
      return total;
    };
    const auto mean = static_cast<float>(sum([](float v) { return v; }) / count);
    const double variance = sum([mean](float v) { return (v - mean) * (v - mean); }) / count;
    const auto factor = static_cast<float>(1 / (std::sqrt(variance) + 1e-9));
    for (int64_t o = 0; o < args.outer; ++o) {
      for (int64_t i = 0; i < args.inner; ++i) y[o * stride + i] = (x[o * stride + i] - mean) * factor;
    }
  }
}

Result<Args> MakeArgs(const Problem& problem) {
  const Dims& dims = problem.input(0).dims;
  std::vector<bool> reduced(dims.size());
  for (const int64_t given : problem.node->Ints("axes", {0, 2, 3})) {
    const int64_t axis = NormalizeAxis(given, dims.size());
    if (axis < 0) return UserError("axis {} does not lie within {}", given, ToString(dims));
    reduced[static_cast<size_t>(axis)] = true;
  }
  size_t first = 0;
  while (first < dims.size() && reduced[first]) ++first;
  size_t last = first;
  while (last < dims.size() && !reduced[last]) ++last;
  for (size_t i = last; i < dims.size(); ++i) {
    if (!reduced[i]) return UserError("the axes that stay are not neighbours");
  }
  return Args{Product(dims, 0, first), Product(dims, first, last), Product(dims, last, dims.size())};
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (problem.input(0).dtype != DType::kFloat32) {
    return UserError("input 0 is {}; float32 is supported", Name(problem.input(0).dtype));
  }
  return MakeArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  TAMIS_ASSIGN_OR_RETURN(const Args args, MakeArgs(problem));
  const int64_t items = Elements(problem.input(0)) == 0 ? 0 : args.kept;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Items, items, GrainFor(args.outer * args.inner), problem.threads));
}

}  // namespace

extern const KernelDef kernel_mean_variance = {
    .name = "mean_variance",
    .family = "norm",
    .ops = {"MeanVarianceNormalization"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = Prepare,
};

}  // namespace tamis
