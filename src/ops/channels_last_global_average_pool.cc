// ChannelsLastGlobalAveragePool: x[B, spatial..., C] -> [B, 1..., C], or [B, C] with attribute keepdims = 0.
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7007);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 7, 7, 3})}, {}});
  cases.push_back({{make.Floats({1, 9, 17})}, {}});
  cases.push_back({{make.Floats({1, 3, 4, 5, 2})}, {}});
  cases.push_back({{make.Floats({3, 4, 2, 5})}, {{"keepdims", int64_t{0}}}});
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_global_average_pool = {
    .name = "ChannelsLastGlobalAveragePool",
    .domain = kTamisDomain,
    .since_opset = 1,
    .infer = InferFloatGlobalPool<Layout::kChannelsLast>,
    .eval = EvalFloatGlobalPool<Layout::kChannelsLast, PoolKind::kAverage>,
    .test_cases = TestCases};

}  // namespace tamis
