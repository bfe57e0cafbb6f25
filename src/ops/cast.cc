// Cast. Floats to integers truncate; out-of-range values saturate, NaN becomes 0.
#include "src/ops/op_cast.h"

namespace tamis {
namespace {

DType Target(const Node& node) {
  return static_cast<DType>(node.Int("to", 0));
}

Status Infer(InferContext& context) {
  const DType to = Target(context.node());
  if (BitSize(to) < 8)
    return context.Error(fmt::format("casting to element type {} is not supported", context.node().Int("to", 0)));
  TAMIS_RETURN_IF_ERROR(InferSame(context));
  if (IsInteger(to) && IsInteger(context.InputDType(0))) {
    if (auto contents = context.InputContents(0)) context.SetOutputContents(0, std::move(*contents));
  }
  const Shape* shape = context.InputShape(0);
  if (shape != nullptr) {
    context.SetOutput(0, to, *shape);
  } else {
    context.SetOutputDType(0, to);
  }
  return {};
}

Status Eval(EvalContext& context) {
  auto result = CastTensor(*context.input(0), Target(context.node));
  if (!result.ok()) return context.Error(result.status().message());
  context.outputs[0] = std::move(*result);
  return {};
}

}  // namespace

extern const OpDef op_cast = {.name = "Cast", .since_opset = 6, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
