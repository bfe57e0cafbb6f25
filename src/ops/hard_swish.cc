#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return x * std::fmax(0.0, std::fmin(1.0, x / 6 + 0.5)); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 6}, -8, 8)}, {}}};
}

}  // namespace

extern const OpDef op_hard_swish = {.name = "HardSwish",
                                    .domain = "",
                                    .since_opset = 14,
                                    .infer = InferUnaryOf<kFloats>,
                                    .eval = Eval,
                                    .test_cases = Cases};

}  // namespace tamis
