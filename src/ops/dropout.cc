// Dropout as in inference: the input unchanged, a mask of ones.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferSame(context));
  Type mask = *context.InputType(0);
  mask.dtype = DType::kBool;
  if (context.NumOutputs() > 1) context.SetOutput(1, mask);
  return {};
}

Status Eval(EvalContext& context) {
  context.outputs[0] = *context.input(0);
  if (context.outputs.size() > 1) {
    context.outputs[1] = Tensor(DType::kBool, context.input(0)->dims());
    std::memset(context.outputs[1].raw(), 1, context.outputs[1].NumBytes());
  }
  return {};
}

}  // namespace

extern const OpDef op_dropout = {
    .name = "Dropout", .since_opset = 7, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
