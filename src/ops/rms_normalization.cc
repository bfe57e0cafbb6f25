// RMSNormalization: x / sqrt(mean(x^2) + epsilon) * scale, the mean over the dimensions from `axis` on.
#include <cmath>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_norm_rule.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 2, &problems);
  for (size_t i = 0; i < 2; ++i) operands.CheckFloat(i, &problems);
  const Shape* x = operands.shape(0);
  const DType dtype = operands.dtype(1) == DType::kUndefined ? operands.dtype(0) : operands.dtype(1);
  if (x == nullptr) {
    TAMIS_RETURN_IF_ERROR(problems.status());
    return std::vector<Type>{Unranked(dtype)};
  }
  CheckNormalisedRows(operands, *x, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, *x)};  // x and scale may differ in type: y has scale's
}

template <class X, class S>
void Compute(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& scale = *context.input(1);
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-5f));
  const size_t axis = *ResolveAxis(context.node.Int("axis", -1), x.dims().size());
  const int64_t size = NumElements(std::span<const int64_t>(x.dims()).subspan(axis));
  const BroadcastIndex scale_index(scale.dims(), x.dims());
  for (int64_t first = 0; first < x.NumElements(); first += size) {
    const X* row = x.Data<X>() + first;
    const double inverse = 1 / std::sqrt(Dot(row, row, size) / static_cast<double>(size) + epsilon);
    for (int64_t i = 0; i < size; ++i) {
      const auto factor = static_cast<double>(scale.Data<S>()[scale_index(first + i)]);
      context.outputs[0].Data<S>()[first + i] = static_cast<S>(static_cast<double>(row[i]) * inverse * factor);
    }
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  DispatchFloat(context.input(0)->dtype(), [&](auto x) {
    DispatchFloat(context.input(1)->dtype(), [&](auto scale) { Compute<decltype(x), decltype(scale)>(context); });
  });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x2a5);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 5, 13}), make.Floats({13})}, {}});
  cases.push_back({{make.Floats({3, 4, 5}), make.Floats({4, 5})}, {{"axis", int64_t{1}}, {"epsilon", 1e-3f}}});
  return cases;
}

}  // namespace

extern const OpDef op_rms_normalization = {
    .name = "RMSNormalization", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
