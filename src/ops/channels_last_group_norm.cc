// ChannelsLastGroupNorm (src/ops/op_tamis.h): each group of channels of each item of x[B, spatial..., C] to mean 0 and
// variance 1, then scale and bias, one a channel, and an activation.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 3, &problems);
  CheckTamisFloat(operands, 0, &problems);
  for (size_t i : {size_t{1}, size_t{2}}) operands.CheckDType(i, {DType::kFloat32}, &problems);
  operands.CheckRankAtLeast(0, 2, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  const int64_t groups = operands.node().Int("num_groups", 0);
  if (groups < 1) problems.Add("attribute 'num_groups' must be given and at least 1");
  const std::string activation = operands.node().String("activation", "");
  if (!ActivationFromName(activation)) problems.Add("activation '{}' is unknown", activation);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  if (x == nullptr) return std::vector<Type>{Unranked(dtype)};
  if (!MayEqual(Dim::Mod(x->back(), Dim(groups)), Dim(0))) {
    problems.Add("input 0 {} has {} channels, which {} groups don't divide", ToString(*x), x->back().ToString(),
                 groups);
  }
  for (size_t i = 1; i < 3; ++i) operands.CheckShape(i, {x->back()}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return {};
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  const int64_t channels = x.dim(-1), groups = context.node.Int("num_groups", 1), width = channels / groups;
  const int64_t pixels = x.NumElements() / (x.dim(0) * channels);
  Epilogue epilogue;
  epilogue.activation = *ActivationFromName(context.node.String("activation", ""));
  const float* scale = context.input(1)->Data<float>();
  const float* bias = context.input(2)->Data<float>();
  const auto count = static_cast<double>(pixels * width);
  for (int64_t item = 0; item < x.dim(0); ++item) {
    const float* in = x.Data<float>() + item * pixels * channels;
    float* out = context.outputs[0].Data<float>() + item * pixels * channels;
    for (int64_t group = 0; group < groups; ++group) {
      const auto sum = [&](auto&& term) {
        double total = 0;
        for (int64_t p = 0; p < pixels; ++p) {
          for (int64_t c = group * width; c < (group + 1) * width; ++c) {
            total += term(static_cast<double>(in[p * channels + c]));
          }
        }
        return total;
      };
      const double mean = sum([](double v) { return v; }) / count;
      const double variance = sum([&](double v) { return (v - mean) * (v - mean); }) / count;
      const double factor = 1 / std::sqrt(variance + epsilon);
      for (int64_t p = 0; p < pixels; ++p) {
        for (int64_t c = group * width; c < (group + 1) * width; ++c) {
          const double normal = (static_cast<double>(in[p * channels + c]) - mean) * factor;
          out[p * channels + c] = static_cast<float>(
              Apply(epilogue, normal * static_cast<double>(scale[c]) + static_cast<double>(bias[c])));
        }
      }
    }
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x6208);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 5, 7, 6}), make.Floats({6}), make.Floats({6})}, {{"num_groups", int64_t{3}}}});
  cases.push_back({{make.Floats({1, 9, 5}, 3, 4), make.Floats({5}), make.Floats({5})},
                   {{"num_groups", int64_t{5}}, {"epsilon", 0.1f}, {"activation", std::string("Silu")}}});
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_group_norm = {.name = "ChannelsLastGroupNorm",
                                                  .domain = kTamisDomain,
                                                  .since_opset = 1,
                                                  .infer = Infer,
                                                  .eval = Eval,
                                                  .test_cases = TestCases};

}  // namespace tamis
