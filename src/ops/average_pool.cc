// AveragePool: the mean under a sliding window, over what lies inside the input or, with count_include_pad, inside the
// padded input (positions that only ceil_mode adds never count).
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7002);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 9, 8})},
                   {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}});
  cases.push_back({{make.Floats({1, 2, 10, 7})},
                   {{"kernel_shape", Dims{3, 2}},
                    {"strides", Dims{2, 3}},
                    {"ceil_mode", int64_t{1}},
                    {"count_include_pad", int64_t{1}},
                    {"pads", Dims{0, 1, 1, 0}}}});
  cases.push_back({{make.Floats({1, 3, 11})},
                   {{"kernel_shape", Dims{4}}, {"pads", Dims{1, 2}}, {"count_include_pad", int64_t{1}}}});
  cases.push_back({{make.Floats({1, 2, 7, 5})},
                   {{"kernel_shape", Dims{2, 3}}, {"strides", Dims{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}});
  cases.push_back({{make.Floats({1, 2, 5, 4, 6})},
                   {{"kernel_shape", Dims{2, 2, 3}}, {"strides", Dims{1, 2, 2}}, {"ceil_mode", int64_t{1}}}});
  return cases;
}

}  // namespace

extern const OpDef op_average_pool = {.name = "AveragePool",
                                      .domain = "",
                                      .since_opset = 1,
                                      .infer = InferFloatPool<Layout::kChannelsFirst>,
                                      .eval = EvalFloatPool<Layout::kChannelsFirst, PoolKind::kAverage>,
                                      .test_cases = TestCases};

}  // namespace tamis
