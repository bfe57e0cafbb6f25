// InstanceNormalization: each channel of each item of x[N, C, spatial...] to mean 0 and variance 1, then scale[C] and
// bias[C].
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_moments.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 3, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  const Shape* x = operands.shape(0);
  if (x != nullptr && x->size() > 1) {
    for (size_t i = 1; i < 3; ++i) operands.CheckShape(i, {(*x)[1]}, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{x == nullptr ? Unranked(operands.dtype(0)) : Type::Tensor(operands.dtype(0), *x)};
}

template <class T>
void Compute(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  const int64_t channels = x.dim(1);
  const int64_t size = x.NumElements() / (x.dim(0) * channels);
  for (int64_t plane = 0; plane < x.dim(0) * channels; ++plane) {
    const std::span<const T> source = x.Span<T>().subspan(static_cast<size_t>(plane * size), static_cast<size_t>(size));
    const SampleMoments moments = SampleMomentsOf(source);
    const auto scale = static_cast<double>(context.input(1)->Data<T>()[plane % channels]);
    const auto bias = static_cast<double>(context.input(2)->Data<T>()[plane % channels]);
    const double factor = scale / std::sqrt(moments.variance + epsilon);
    std::transform(source.begin(), source.end(), context.outputs[0].Data<T>() + plane * size, [&](T value) {
      return static_cast<T>((static_cast<double>(value) - moments.mean) * factor + bias);
    });
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
  CaseMaker make(0x1257);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 5, 7}), make.Floats({3}), make.Floats({3})}, {}});
  cases.push_back({{make.Floats({1, 4, 9}, 5, 6), make.Floats({4}), make.Floats({4})}, {{"epsilon", 0.01f}}});
  return cases;
}

}  // namespace

extern const OpDef op_instance_normalization = {.name = "InstanceNormalization",
                                                .domain = "",
                                                .since_opset = 6,
                                                .infer = Infer,
                                                .eval = Eval,
                                                .test_cases = TestCases};

}  // namespace tamis
