#include <span>

#include "src/ops/op_bind.h"

namespace tamis {
namespace {

// One of the attributes value, value_int(s), value_float(s), as a tensor.
Result<Tensor> Value(const Node& node) {
  if (const Tensor* value = node.TensorAttribute("value"); value != nullptr && value->Defined()) return *value;
  if (node.Has("value_int")) {
    const int64_t value = node.Int("value_int", 0);
    return Tensor::Of<int64_t>(DType::kInt64, {}, std::span(&value, 1));
  }
  if (node.Has("value_ints")) return Tensor::Int64s(node.Ints("value_ints"));
  if (node.Has("value_float")) return Tensor::Float(node.Float("value_float", 0));
  if (node.Has("value_floats")) {
    const auto values = node.Floats("value_floats");
    return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
  }
  return UserError(
      "none of the attributes value, value_int, value_ints, value_float, value_floats is there; sparse and string "
      "constants are not supported");
}

Status Infer(InferContext& context) {
  const auto value = Value(context.node());
  if (!value.ok()) return context.Error(value.status().message());
  if (IsInteger(value->dtype()) && BitSize(value->dtype()) >= 8 && value->NumElements() <= 64) {
    const auto elements = value->ToInt64s();
    SetTracked(context, 0, {elements.begin(), elements.end()});
  }
  return SetShape(context, 0, value->dtype(), ToShape(value->dims()));
}

Status Eval(EvalContext& context) {
  auto value = Value(context.node);
  if (!value.ok()) return context.Error(value.status().message());
  context.outputs[0] = std::move(value).value();
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{}, {{"value", Tensor(DType::kInt8, {2, 3})}}},
          {{}, {{"value_float", 1.5f}}},
          {{}, {{"value_floats", std::vector<float>{1, 2}}}},
          {{}, {{"value_int", int64_t{4}}}},
          {{}, {{"value_ints", std::vector<int64_t>{1, 2, 3}}}}};
}

}  // namespace

extern const OpDef op_constant = {.name = "Constant",
                                  .domain = "",
                                  .since_opset = 1,
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false};

}  // namespace tamis
