// MeanVarianceNormalization: (x - mean) / (deviation + 1e-9) over the given axes, all but the channels by default.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_moments.h"
#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

std::vector<int64_t> AxesOf(const Node& node) {
  return node.Has("axes") ? node.Ints("axes") : std::vector<int64_t>{0, 2, 3};
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  context.SetOutput(0, *context.InputType(0));
  const Shape* x = context.InputShape(0);
  if (x == nullptr) return {};
  return ResolvedAxes(context, AxesOf(context.node()), static_cast<int64_t>(x->size())).status();
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Dims& dims = context.input(0)->dims();
  TAMIS_ASSIGN_OR_RETURN(const auto axes,
                         ResolvedAxes(*bound->infer, AxesOf(context.node), static_cast<int64_t>(dims.size())));
  std::vector<bool> reduce(dims.size(), false);
  for (int64_t axis : axes) reduce[static_cast<size_t>(axis)] = true;
  const ReduceWalk walk(dims, reduce);
  auto x = ReadDoubles(*context.input(0));
  if (x.empty()) return {};
  std::vector<double> terms(static_cast<size_t>(walk.terms));
  for (int64_t o = 0; o < walk.results; ++o) {
    const int64_t first = ReduceWalk::Offset(o, walk.kept, walk.kept_strides);
    const auto at = [&](size_t i) {
      const int64_t step = ReduceWalk::Offset(static_cast<int64_t>(i), walk.reduced, walk.reduced_strides);
      return static_cast<size_t>(first + step);
    };
    for (size_t i = 0; i < terms.size(); ++i) terms[i] = x[at(i)];
    const SampleMoments moments = SampleMomentsOf(std::span<const double>(terms));
    for (size_t i = 0; i < terms.size(); ++i) {
      x[at(i)] = (terms[i] - moments.mean) / (std::sqrt(moments.variance) + 1e-9);
    }
  }
  WriteDoubles(context.outputs[0], x);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x3b52);
  return {{{make.Floats({2, 3, 4, 5})}, {}}, {{make.Floats({3, 7})}, {{"axes", std::vector<int64_t>{-1}}}}};
}

}  // namespace

extern const OpDef op_mean_variance_normalization = {.name = "MeanVarianceNormalization",
                                                     .domain = "",
                                                     .since_opset = 9,
                                                     .infer = Infer,
                                                     .eval = Eval,
                                                     .test_cases = Cases};

}  // namespace tamis
