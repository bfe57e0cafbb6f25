// Swish: x * sigmoid(alpha * x).
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const auto alpha = static_cast<double>(context.node.Float("alpha", 1));
  return EvalFloat(context, [alpha](double x) { return x / (1 + std::exp(-alpha * x)); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -6, 6)}, {}}, {{SampleFloats(2, {7}, -6, 6)}, {{"alpha", 1.7f}}}};
}

}  // namespace

extern const OpDef op_swish = {.name = "Swish",
                               .domain = "",
                               .since_opset = 24,
                               .infer = InferUnaryOf<kFloats>,
                               .eval = Eval,
                               .test_cases = Cases};

}  // namespace tamis
