// SwiGLU: a * sigmoid(alpha * a) * b, without broadcasting.
#include <cmath>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* a = context.InputShape(0);
  const Shape* b = context.InputShape(1);
  if (a != nullptr && b != nullptr &&
      (a->size() != b->size() || !std::equal(a->begin(), a->end(), b->begin(), MayEqual))) {
    return context.Error(fmt::format("the operands {} and {} must have one shape", ToString(*a), ToString(*b)));
  }
  return InferBroadcast(context, {.allowed = kFloats});
}

Status Eval(EvalContext& context) {
  const auto alpha = static_cast<double>(context.node.Float("alpha", 1));
  TAMIS_RETURN_IF_ERROR(Bind(context).status());
  MapElements<double, 2>(context, [alpha](double a, double b) { return a / (1 + std::exp(-alpha * a)) * b; });
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}, -6, 6), SampleFloats(2, {3, 5})}, {}},
          {{SampleFloats(3, {7}, -6, 6), SampleFloats(4, {7})}, {{"alpha", 1.7f}}}};
}

}  // namespace

extern const OpDef op_swi_glu = {
    .name = "SwiGLU", .domain = "", .since_opset = 28, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
