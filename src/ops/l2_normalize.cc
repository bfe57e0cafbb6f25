// L2Normalize (src/ops/op_tamis.h): x / max(|x|_2, epsilon) along the last axis.
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  CheckTamisFloat(operands, 0, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  return std::vector<Type>{x == nullptr ? Unranked(dtype) : Type::Tensor(dtype, *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-12f));
  const int64_t size = x.dim(-1);
  for (int64_t first = 0; first < x.NumElements(); first += size) {
    const float* row = x.Data<float>() + first;
    const double norm = std::max(std::sqrt(Dot(row, row, size)), epsilon);
    std::transform(row, row + size, context.outputs[0].Data<float>() + first,
                   [norm](float value) { return static_cast<float>(static_cast<double>(value) / norm); });
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x12);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 17})}, {{"epsilon", 1e-12f}}});
  cases.push_back({{make.Floats({2, 3, 384})}, {{"epsilon", 1e-6f}}});
  cases.push_back({{make.Floats({4, 5}, -1e-4f, 1e-4f)}, {{"epsilon", 0.5f}}});
  return cases;
}

}  // namespace

extern const OpDef op_l2_normalize = {.name = "L2Normalize",
                                      .domain = kTamisDomain,
                                      .since_opset = 1,
                                      .infer = Infer,
                                      .eval = Eval,
                                      .test_cases = TestCases};

}  // namespace tamis
