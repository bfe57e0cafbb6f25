#include <functional>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBroadcast(context, {.allowed = kFloats, .inputs = 0});
}

Status Eval(EvalContext& context) {
  return EvalVariadic(context, [](auto a, auto b) { return Wrapping(a, b, std::plus<>()); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(5, {2, 3}), SampleFloats(6, {3}), SampleFloats(7, {2, 1})}, {}}};
}

}  // namespace

extern const OpDef op_sum = {
    .name = "Sum", .domain = "", .since_opset = 6, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
