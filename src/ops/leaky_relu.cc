#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 0.01f);
  return EvalFloat(context, [=](double x) { return x < 0 ? alpha * x : x; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_leaky_relu = {
    .name = "LeakyRelu", .domain = "", .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
