#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 0.2f);
  const double beta = context.node.Float("beta", 0.5f);
  return EvalFloat(context, [=](double x) { return std::fmax(0.0, std::fmin(1.0, alpha * x + beta)); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 6}, -8, 8)}, {}}};
}

}  // namespace

extern const OpDef op_hard_sigmoid = {
    .name = "HardSigmoid", .domain = "", .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
