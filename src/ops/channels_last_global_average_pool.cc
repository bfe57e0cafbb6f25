// ChannelsLastGlobalAveragePool: x[B, spatial..., C] -> [B, 1..., C].
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  CheckTamisFloat(operands, 0, &problems);
  const DType y = TamisOutputDType(operands, &problems);
  return GlobalPoolType(operands, Layout::kChannelsLast, y, std::move(problems));
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  ComputeGlobalPool(context, Layout::kChannelsLast, PoolKind::kAverage);
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7007);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 7, 7, 3})}, {}});
  cases.push_back({{make.Floats({1, 9, 17})}, {}});
  cases.push_back({{make.Floats({1, 3, 4, 5, 2})}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_global_average_pool = {.name = "ChannelsLastGlobalAveragePool",
                                                           .domain = kTamisDomain,
                                                           .since_opset = 1,
                                                           .infer = Infer,
                                                           .eval = Eval,
                                                           .test_cases = TestCases};

}  // namespace tamis
