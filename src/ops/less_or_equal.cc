#include "src/ops/op_compare.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto less_or_equal = [](const InferContext&, const Dim& a, const Dim& b) {
    return Decided(NeverNegative(b - a), NeverNegative(a - b - Dim(1)));
  };
  return InferBroadcast(context, {.allowed = kNumbers, .result = DType::kBool, .contents = less_or_equal});
}

Status Eval(EvalContext& context) {
  return EvalComparison(context, [](auto a, auto b) { return a <= b; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_less_or_equal = {
    .name = "LessOrEqual", .domain = "", .since_opset = 12, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
