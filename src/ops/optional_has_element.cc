#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Anything that is no empty optional holds an element, a tensor or sequence included.
Status Infer(InferContext& context) {
  if (context.NumInputs() > 1)
    return context.Error(fmt::format("{} inputs are given, 1 is allowed", context.NumInputs()));
  context.SetOutput(0, DType::kBool, {});
  return {};
}

Status Eval(DataContext& context) {
  const bool holds = context.input(0) != nullptr && !context.input(0)->IsNone();
  context.outputs[0] = Tensor::Of<bool>(DType::kBool, {}, std::span<const bool>(&holds, 1));
  return {};
}

}  // namespace

extern const OpDef op_optional_has_element = {
    .name = "OptionalHasElement", .domain = "", .since_opset = 15, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
