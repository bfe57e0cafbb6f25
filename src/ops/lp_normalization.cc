// LpNormalization: x / |x|_p along an axis, p = 1 or 2; a row of norm 0 stays 0.
#include <cmath>

#include "src/ops/op_axis_rows.h"
#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckFloat(0, &problems);
  const int64_t p = operands.node().Int("p", 2);
  if (p != 1 && p != 2) problems.Add("attribute 'p' is {} but must be 1 or 2", p);
  const Shape* x = operands.shape(0);
  const int64_t axis = operands.node().Int("axis", -1);
  if (x != nullptr && !ResolveAxis(axis, x->size())) {
    problems.Add("attribute 'axis' is {} but the input {} has {} dimensions", axis, ToString(*x), x->size());
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{x == nullptr ? Unranked(operands.dtype(0)) : Type::Tensor(operands.dtype(0), *x)};
}

template <class T>
void Compute(const Tensor& x, size_t axis, int64_t p, T* y) {
  const int64_t step = NumElements(std::span<const int64_t>(x.dims()).subspan(axis + 1));
  const T* source = x.Data<T>();
  ForEachRow(x.NumElements(), x.dims()[axis], step, [&](const AxisRow& row) {
    double sum = 0;
    for (int64_t i = 0; i < row.size; ++i) {
      const auto value = static_cast<double>(source[row.first + i * row.step]);
      sum += p == 1 ? std::abs(value) : value * value;
    }
    const double norm = p == 1 ? sum : std::sqrt(sum);
    for (int64_t i = 0; i < row.size; ++i) {
      const int64_t at = row.first + i * row.step;
      y[at] = norm == 0 ? T{} : static_cast<T>(static_cast<double>(source[at]) / norm);
    }
  });
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  if (x.NumElements() == 0) return {};
  const size_t axis = *ResolveAxis(context.node.Int("axis", -1), x.dims().size());
  const int64_t p = context.node.Int("p", 2);
  DispatchFloat(x.dtype(), [&](auto zero) { Compute(x, axis, p, context.outputs[0].Data<decltype(zero)>()); });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x1904);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 7})}, {}});
  cases.push_back({{make.Floats({2, 5, 3})}, {{"axis", int64_t{1}}, {"p", int64_t{1}}}});
  cases.push_back({{Tensor(DType::kFloat32, {2, 3})}, {{"axis", int64_t{0}}}});
  return cases;
}

}  // namespace

extern const OpDef op_lp_normalization = {
    .name = "LpNormalization", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
