// GlobalAveragePool: x[N, C, spatial...] -> [N, C, 1...].
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckFloat(0, &problems);
  return GlobalPoolType(operands, Layout::kChannelsFirst, operands.dtype(0), std::move(problems));
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  ComputeGlobalPool(context, Layout::kChannelsFirst, PoolKind::kAverage);
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7005);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 7, 7})}, {}});
  cases.push_back({{make.Floats({1, 5, 9})}, {}});
  cases.push_back({{make.Floats({1, 2, 3, 4, 5})}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_global_average_pool = {
    .name = "GlobalAveragePool", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
