// ChannelsLastMaxPool: MaxPool on x[B, spatial..., C].
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7003);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 9, 8, 3})},
                   {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}});
  cases.push_back(
      {{make.Floats({1, 10, 7, 17})},
       {{"kernel_shape", Dims{3, 2}}, {"strides", Dims{2, 3}}, {"ceil_mode", int64_t{1}}, {"pads", Dims{0, 1, 1, 0}}}});
  cases.push_back(
      {{make.Floats({1, 11, 5})}, {{"kernel_shape", Dims{3}}, {"dilations", Dims{2}}, {"pads", Dims{1, 2}}}});
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_max_pool = {.name = "ChannelsLastMaxPool",
                                                .domain = kTamisDomain,
                                                .since_opset = 1,
                                                .infer = InferFloatPool<Layout::kChannelsLast>,
                                                .eval = EvalFloatPool<Layout::kChannelsLast, PoolKind::kMax>,
                                                .test_cases = TestCases};

}  // namespace tamis
