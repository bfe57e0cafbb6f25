#include "src/ops/op_types.h"

namespace tamis {
namespace {

// What the operator makes of no input has the type that the file gives as an attribute; importing turns that into the
// output's declared type, and exporting turns it back.
Status Infer(InferContext& context) {
  if (context.NumInputs() > 1)
    return context.Error(fmt::format("{} inputs are given, 1 is allowed", context.NumInputs()));
  if (context.HasInput(0)) context.SetOutput(0, OptionalOf(*context.InputType(0)));
  return {};
}

Status Eval(DataContext& context) {
  if (context.input(0) != nullptr) context.outputs[0] = *context.input(0);
  return {};
}

}  // namespace

extern const OpDef op_optional = {
    .name = "Optional", .domain = "", .since_opset = 15, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
