// Selu: gamma * x above 0, gamma * alpha * (exp(x) - 1) below.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 1.67326319217681884765625f);
  const double gamma = context.node.Float("gamma", 1.05070102214813232421875f);
  return EvalFloat(context, [=](double x) { return x <= 0 ? gamma * alpha * std::expm1(x) : gamma * x; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleFloats(2, {7})}, {{"alpha", 2.0f}, {"gamma", 3.0f}}}};
}

}  // namespace

extern const OpDef op_selu = {
    .name = "Selu", .domain = "", .since_opset = 6, .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
