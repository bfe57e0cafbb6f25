#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 1);
  return EvalFloat(context, [=](double x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_elu = {
    .name = "Elu", .domain = "", .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
