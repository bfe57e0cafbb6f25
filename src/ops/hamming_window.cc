#include "src/ops/op_cosine_window.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalCosineWindow(context, 25.0 / 46, 21.0 / 46, 0);
}

}  // namespace

extern const OpDef op_hamming_window = {.name = "HammingWindow",
                                        .domain = "",
                                        .since_opset = 17,
                                        .infer = InferCosineWindow,
                                        .eval = Eval,
                                        .test_cases = CosineWindowCases};

}  // namespace tamis
