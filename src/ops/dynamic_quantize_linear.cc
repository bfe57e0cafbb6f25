// DynamicQuantizeLinear: f32 to uint8 over the range of the elements and 0. Outputs: y, scale, zero point.
#include <cmath>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const DType x = context.InputDType(0);
  if (x != DType::kUndefined && x != DType::kFloat32) {
    return context.Error(fmt::format("input 0 is {}, must be float32", Name(x)));
  }
  context.SetOutputDType(0, DType::kUInt8);
  if (context.InputShape(0) != nullptr) {
    TAMIS_RETURN_IF_ERROR(SetShape(context, 0, DType::kUInt8, *context.InputShape(0)));
  }
  context.SetOutput(1, DType::kFloat32, {});
  context.SetOutput(2, DType::kUInt8, {});
  return {};
}

// In f32 throughout, as the operator is defined: the zero point and ties depend on it.
Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(Bind(context).status());
  const auto x = context.input(0)->Span<float>();
  float low = 0;
  float high = 0;
  for (float value : x) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const DynamicScale scale = DynamicScaleOf(low, high);
  const IntegerRange range = RangeOf(DType::kUInt8);
  auto* y = context.outputs[0].Data<uint8_t>();
  for (float value : x) {
    *y++ = static_cast<uint8_t>(
        Saturated(static_cast<double>(value / scale.scale), static_cast<double>(scale.zero), range));
  }
  if (context.outputs.size() > 1) context.outputs[1].Data<float>()[0] = scale.scale;
  if (context.outputs.size() > 2) context.outputs[2].Data<uint8_t>()[0] = scale.zero;
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -2, 7)}, {}}, {{SampleFloats(2, {3, 5}, 1, 7)}, {}}};
}

}  // namespace

extern const OpDef op_dynamic_quantize_linear = {.name = "DynamicQuantizeLinear",
                                                 .domain = "",
                                                 .since_opset = 11,
                                                 .infer = Infer,
                                                 .eval = Eval,
                                                 .test_cases = Cases};

}  // namespace tamis
