#include <functional>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto add = [](const InferContext&, const Dim& a, const Dim& b) { return std::optional<Dim>(a + b); };
  return InferBroadcast(context, {.contents = add});
}

Status Eval(EvalContext& context) {
  return EvalElements<2>(context, [](auto a, auto b) { return Wrapping(a, b, std::plus<>()); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_add = {
    .name = "Add", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
