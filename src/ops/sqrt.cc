#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return std::sqrt(x); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, 0.1, 4)}, {}}};
}

}  // namespace

extern const OpDef op_sqrt = {
    .name = "Sqrt", .domain = "", .infer = InferUnaryOf<kFloats>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
