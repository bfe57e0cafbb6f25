// ConstantOfShape: one value (f32 zero by default) in a shape that the network computes.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Tensor ValueOf(const Node& node) {
  const Tensor* value = node.TensorAttribute("value");
  return value != nullptr && value->NumElements() == 1 ? *value : Tensor(DType::kFloat32, {1});
}

Status Infer(InferContext& context) {
  const Tensor value = ValueOf(context.node());
  context.SetOutputDType(0, value.dtype());
  const auto target = context.InputContents(0);
  if (!target) return {};
  for (const Dim& dim : *target) {
    if (dim.Constant().value_or(0) < 0) return context.Error("the shape holds a negative dimension");
  }
  context.SetOutput(0, value.dtype(), *target);
  if (!IsInteger(value.dtype()) || target->size() > 1) return {};
  const int64_t count = target->empty() ? 1 : (*target)[0].Constant().value_or(-1);
  if (count >= 0 && count <= 64) {
    context.SetOutputContents(0, std::vector<Dim>(static_cast<size_t>(count), Dim(value.ToInt64s()[0])));
  }
  return {};
}

Status Eval(EvalContext& context) {
  const Dims dims = context.input(0)->ToInt64s();
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  const Tensor value = ValueOf(context.node);
  Tensor y(value.dtype(), dims);
  CopyElements(value, &y, [](int64_t) { return 0; });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_constant_of_shape = {
    .name = "ConstantOfShape", .since_opset = 9, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
