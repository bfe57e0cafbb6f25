#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto equal = [](const InferContext&, const Dim& a, const Dim& b) {
    return Decided(a == b, (a - b - Dim(1)).NonNegative() || (b - a - Dim(1)).NonNegative());
  };
  return InferBroadcast(context, {.allowed = kNumbers | kBools, .result = DType::kBool, .contents = equal});
}

Status Eval(EvalContext& context) {
  return EvalComparison(context, [](auto a, auto b) { return a == b; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_equal = {
    .name = "Equal", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
