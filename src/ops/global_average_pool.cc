// GlobalAveragePool: x[N, C, spatial...] -> [N, C, 1...].
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7005);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 7, 7})}, {}});
  cases.push_back({{make.Floats({1, 5, 9})}, {}});
  cases.push_back({{make.Floats({1, 2, 3, 4, 5})}, {}});
  return cases;
}

}  // namespace

extern const OpDef op_global_average_pool = {.name = "GlobalAveragePool",
                                             .domain = "",
                                             .since_opset = 1,
                                             .infer = InferFloatGlobalPool<Layout::kChannelsFirst>,
                                             .eval = EvalFloatGlobalPool<Layout::kChannelsFirst, PoolKind::kAverage>,
                                             .test_cases = TestCases};

}  // namespace tamis
