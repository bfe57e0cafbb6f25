#include "src/ops/op_compare.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto greater = [](const InferContext&, const Dim& a, const Dim& b) {
    return Decided(NeverNegative(a - b - Dim(1)), NeverNegative(b - a));
  };
  return InferBroadcast(context, {.allowed = kNumbers, .result = DType::kBool, .contents = greater});
}

Status Eval(EvalContext& context) {
  return EvalComparison(context, [](auto a, auto b) { return a > b; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_greater = {
    .name = "Greater", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
