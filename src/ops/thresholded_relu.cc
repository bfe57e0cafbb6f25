// ThresholdedRelu: x above alpha, else 0.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const double alpha = context.node.Float("alpha", 1);
  return EvalFloat(context, [=](double x) { return x > alpha || std::isnan(x) ? x : 0; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleFloats(2, {7})}, {{"alpha", 0.25f}}}};
}

}  // namespace

extern const OpDef op_thresholded_relu = {.name = "ThresholdedRelu",
                                          .domain = "",
                                          .since_opset = 10,
                                          .infer = InferUnaryOf<kFloats>,
                                          .eval = Eval,
                                          .test_cases = Cases};

}  // namespace tamis
