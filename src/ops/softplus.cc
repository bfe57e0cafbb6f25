#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {4, 6}, -8, 8)}, {}}};
}

}  // namespace

extern const OpDef op_softplus = {
    .name = "Softplus", .domain = "", .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
