// GroupNormalization: each group of channels of each item of x[N, C, spatial...] to mean 0 and variance 1, then scale
// and bias: one a channel since opset 21, one a group in opset 18.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_moments.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

constexpr int64_t kPerChannelOpset = 21;

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 3, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2}, &problems);
  operands.CheckRankAtLeast(0, 2, &problems);
  const int64_t groups = operands.node().Int("num_groups", 0);
  if (groups < 1) problems.Add("attribute 'num_groups' must be given and at least 1");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  if (x == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  if (!MayEqual(Dim::Mod((*x)[1], Dim(groups)), Dim(0))) {
    problems.Add("input 0 {} has {} channels, which {} groups don't divide", ToString(*x), (*x)[1].ToString(), groups);
  }
  const Dim parameters = operands.opset() >= kPerChannelOpset ? (*x)[1] : Dim(groups);
  for (size_t i = 1; i < 3; ++i) operands.CheckShape(i, {parameters}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), *x)};
}

template <class T>
void Compute(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  const int64_t channels = x.dim(1);
  const int64_t groups = context.node.Int("num_groups", 1);
  const int64_t plane = x.NumElements() / (x.dim(0) * channels);
  const int64_t size = channels / groups * plane;
  const int64_t channels_per_parameter = context.opset >= kPerChannelOpset ? 1 : channels / groups;
  for (int64_t group = 0; group < x.dim(0) * groups; ++group) {
    const SampleMoments moments =
        SampleMomentsOf(x.Span<T>().subspan(static_cast<size_t>(group * size), static_cast<size_t>(size)));
    const double factor = 1 / std::sqrt(moments.variance + epsilon);
    for (int64_t i = group * size; i < (group + 1) * size; ++i) {
      const int64_t p = i / plane % channels / channels_per_parameter;
      const auto scale = static_cast<double>(context.input(1)->Data<T>()[p]);
      const auto bias = static_cast<double>(context.input(2)->Data<T>()[p]);
      context.outputs[0].Data<T>()[i] =
          static_cast<T>((static_cast<double>(x.Data<T>()[i]) - moments.mean) * factor * scale + bias);
    }
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  DispatchFloat(context.input(0)->dtype(), [&](auto zero) { Compute<decltype(zero)>(context); });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x6207);
  std::vector<OpTestCase> cases;  // as many channels as groups: legal in both opsets
  cases.push_back({{make.Floats({2, 3, 5, 7}), make.Floats({3}), make.Floats({3})}, {{"num_groups", int64_t{3}}}});
  cases.push_back({{make.Floats({1, 6, 5}, 3, 4), make.Floats({6}), make.Floats({6})},
                   {{"num_groups", int64_t{6}}, {"epsilon", 0.1f}}});
  return cases;
}

}  // namespace

extern const OpDef op_group_normalization = {.name = "GroupNormalization",
                                             .domain = "",
                                             .since_opset = 18,
                                             .infer = Infer,
                                             .eval = Eval,
                                             .test_cases = TestCases};

}  // namespace tamis
