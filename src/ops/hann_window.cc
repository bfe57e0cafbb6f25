#include "src/ops/op_cosine_window.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalCosineWindow(context, 0.5, 0.5, 0);
}

}  // namespace

extern const OpDef op_hann_window = {.name = "HannWindow",
                                     .domain = "",
                                     .since_opset = 17,
                                     .infer = InferCosineWindow,
                                     .eval = Eval,
                                     .test_cases = CosineWindowCases};

}  // namespace tamis
