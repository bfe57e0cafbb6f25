// ChannelsLastMaxPool: MaxPool on x[B, spatial..., C] of floats, or of the codes of one quantised tensor.
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"
#include "src/ops/op_quantize.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  const DType x = operands.dtype(0);
  if (x == DType::kUInt8 || x == DType::kInt8) return PoolType(operands, Layout::kChannelsLast, x, {});
  return FloatPoolRule(operands, Layout::kChannelsLast);
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  ComputePool(context, Layout::kChannelsLast, PoolKind::kMax);
  return {};
}

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
  for (const DType dtype : {DType::kUInt8, DType::kInt8}) {
    cases.push_back({{SampleBytes(dtype, 5, {2, 9, 8, 70})},
                     {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}});
  }
  return cases;
}

}  // namespace

extern const OpDef op_channels_last_max_pool = {.name = "ChannelsLastMaxPool",
                                                .domain = kTamisDomain,
                                                .since_opset = 1,
                                                .infer = Infer,
                                                .eval = Eval,
                                                .test_cases = TestCases};

}  // namespace tamis
