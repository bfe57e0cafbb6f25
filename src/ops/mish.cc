// Mish: x * tanh(log(1 + exp(x))).
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return x * std::tanh(x > 40 ? x : std::log1p(std::exp(x))); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_mish = {
    .name = "Mish", .domain = "", .since_opset = 18, .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
