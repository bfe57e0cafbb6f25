// LayerNormalization: the dimensions from `axis` on to mean 0 and variance 1, then scale and bias?. The optional
// outputs Mean and InvStdDev have 1 in place of those dimensions and the type `stash_type`.
#include <algorithm>
#include <cmath>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_moments.h"
#include "src/ops/op_norm_rule.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 3, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2}, &problems);
  const int64_t stash_number = operands.node().Int("stash_type", 1);
  const auto stash = static_cast<DType>(stash_number);
  if (stash_number != 1 && stash_number != 10 && stash_number != 11 && stash_number != 16) {
    problems.Add("attribute 'stash_type' is {}, which is not a float type", stash_number);
  }
  const Shape* x = operands.shape(0);
  if (x == nullptr) {
    TAMIS_RETURN_IF_ERROR(problems.status());
    return std::vector<Type>{Unranked(operands.dtype(0)), Unranked(stash), Unranked(stash)};
  }
  const auto first = CheckNormalisedRows(operands, *x, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape reduced = *x;
  std::fill(reduced.begin() + static_cast<int64_t>(*first), reduced.end(), Dim(1));
  return std::vector<Type>{Type::Tensor(operands.dtype(0), *x), Type::Tensor(stash, reduced),
                           Type::Tensor(stash, reduced)};
}

void Store(EvalContext& context, size_t output, int64_t index, double value) {
  if (output >= context.outputs.size()) return;
  DispatchFloat(context.outputs[output].dtype(), [&](auto zero) {
    using T = decltype(zero);
    context.outputs[output].Data<T>()[index] = static_cast<T>(value);
  });
}

template <class T>
void Compute(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& scale = *context.input(1);
  const Tensor* bias = context.input(2) != nullptr && context.input(2)->Defined() ? context.input(2) : nullptr;
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  const size_t axis = *ResolveAxis(context.node.Int("axis", -1), x.dims().size());
  const int64_t size = NumElements(std::span<const int64_t>(x.dims()).subspan(axis));
  const BroadcastIndex scale_index(scale.dims(), x.dims());
  const BroadcastIndex bias_index(bias != nullptr ? bias->dims() : Dims{}, x.dims());
  for (int64_t row = 0; row < x.NumElements() / size; ++row) {
    const SampleMoments moments =
        SampleMomentsOf(x.Span<T>().subspan(static_cast<size_t>(row * size), static_cast<size_t>(size)));
    const double inverse = 1 / std::sqrt(moments.variance + epsilon);
    Store(context, 1, row, moments.mean);
    Store(context, 2, row, inverse);
    for (int64_t i = row * size; i < (row + 1) * size; ++i) {
      const double normal = (static_cast<double>(x.Data<T>()[i]) - moments.mean) * inverse;
      const double start = bias == nullptr ? 0.0 : static_cast<double>(bias->Data<T>()[bias_index(i)]);
      context.outputs[0].Data<T>()[i] =
          static_cast<T>(normal * static_cast<double>(scale.Data<T>()[scale_index(i)]) + start);
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
  CaseMaker make(0x1a4e);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 5, 13}), make.Floats({13}), make.Floats({13})}, {}});
  cases.push_back(
      {{make.Floats({3, 4, 5}, 9, 10), make.Floats({4, 5}), Tensor()}, {{"axis", int64_t{1}}, {"epsilon", 1e-3f}}});
  cases.push_back({{make.Floats({2, 3, 4}), make.Floats({3, 4}), make.Floats({1, 4})}, {{"axis", int64_t{-2}}}});
  cases.push_back({{make.Floats({1, 384}), make.Floats({384}), make.Floats({384})}, {{"epsilon", 1e-12f}}});
  return cases;
}

}  // namespace

extern const OpDef op_layer_normalization = {.name = "LayerNormalization",
                                             .domain = "",
                                             .since_opset = 1,
                                             .infer = Infer,
                                             .eval = Eval,
                                             .test_cases = TestCases};

}  // namespace tamis
