#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  if (auto contents = Contents(context, 0)) SetTracked(context, 0, std::move(*contents));  // integers stay
  return InferUnary(context, kFloats);
}

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return std::ceil(x); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_ceil = {.name = "Ceil", .domain = "", .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
