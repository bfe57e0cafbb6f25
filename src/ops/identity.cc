// Identity.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  context.outputs[0] = *context.input(0);
  return {};
}

}  // namespace

extern const OpDef op_identity = {.name = "Identity", .infer = InferSameContents, .eval = Eval, .widen_half = false};

}  // namespace tamis
