// Softsign: x / (1 + |x|).
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return x / (1 + std::abs(x)); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_softsign = {.name = "Softsign",
                                  .domain = "",
                                  .since_opset = 1,
                                  .infer = InferUnaryOf<kFloats>,
                                  .eval = Eval,
                                  .test_cases = Cases};

}  // namespace tamis
