#include "src/ops/op_cosine_window.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalCosineWindow(context, 0.42, 0.5, 0.08);
}

}  // namespace

extern const OpDef op_blackman_window = {.name = "BlackmanWindow",
                                         .domain = "",
                                         .since_opset = 17,
                                         .infer = InferCosineWindow,
                                         .eval = Eval,
                                         .test_cases = CosineWindowCases};

}  // namespace tamis
