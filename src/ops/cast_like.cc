// CastLike: to the element type of the second input.
#include "src/ops/op_cast.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const DType to = context.InputDType(1);
  const Shape* shape = context.InputShape(0);
  if (shape != nullptr) {
    context.SetOutput(0, to, *shape);
  } else {
    context.SetOutputDType(0, to);
  }
  return {};
}

Status Eval(EvalContext& context) {
  if (context.input(1) == nullptr) return context.Error("the second input is missing");
  auto result = CastTensor(*context.input(0), context.input(1)->dtype());
  if (!result.ok()) return context.Error(result.status().message());
  context.outputs[0] = std::move(*result);
  return {};
}

}  // namespace

extern const OpDef op_cast_like = {
    .name = "CastLike", .since_opset = 15, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
