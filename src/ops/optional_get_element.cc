#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Type* type = context.InputType(0);
  if (type == nullptr || context.NumInputs() > 1) return context.Error("needs exactly one input");
  context.SetOutput(0, IsOptional(type) ? (type->element ? *type->element : Type{}) : *type);
  return {};
}

Status Eval(DataContext& context) {
  if (context.input(0) == nullptr || context.input(0)->IsNone()) return context.Error("the optional is empty");
  context.outputs[0] = *context.input(0);
  return {};
}

}  // namespace

extern const OpDef op_optional_get_element = {
    .name = "OptionalGetElement", .domain = "", .since_opset = 15, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
