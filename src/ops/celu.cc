// Celu: x above 0, alpha * (exp(x / alpha) - 1) below.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 1);
  if (alpha == 0) return context.Error("attribute 'alpha' must not be 0");
  return EvalFloat(context, [=](double x) {
    return std::fmax(0, x) + std::fmin(0, alpha * std::expm1(x / alpha)) + (std::isnan(x) ? x : 0);
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleFloats(2, {7})}, {{"alpha", 2.0f}}}};
}

}  // namespace

extern const OpDef op_celu = {
    .name = "Celu", .domain = "", .since_opset = 12, .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
