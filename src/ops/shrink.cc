// Shrink: x + bias below -lambd, x - bias above lambd, else 0. Integers are computed in double, which is exact for the
// values that they can have between 8 and 32 bits.
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferUnary(context, kNumbers);
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const double bias = context.node.Float("bias", 0);
  const double lambd = context.node.Float("lambd", 0.5f);
  MapElements<double, 1>(context, [=](double x) { return x < -lambd ? x + bias : x > lambd ? x - bias : 0; });
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}},
          {{SampleFloats(2, {3, 5})}, {{"lambd", 0.25f}, {"bias", 0.125f}}},
          {{SampleInts(3, {9}, -9, 9)}, {{"lambd", 4.0f}, {"bias", 1.0f}}}};
}

}  // namespace

extern const OpDef op_shrink = {
    .name = "Shrink", .domain = "", .since_opset = 9, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
