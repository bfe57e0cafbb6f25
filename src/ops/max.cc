#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const auto max = [](const InferContext&, const Dim& a, const Dim& b) { return std::optional<Dim>(Dim::Max(a, b)); };
  return InferBroadcast(context, {.inputs = 0, .contents = max});
}

Status Eval(EvalContext& context) {
  return EvalVariadic(context, [](auto a, auto b) {
    if constexpr (std::is_same_v<decltype(a), double>) {
      if (std::isnan(a)) return a;
      if (std::isnan(b)) return b;
    }
    return std::max(a, b);
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}},
          {{SampleFloats(5, {2, 3}), SampleFloats(6, {3}), SampleFloats(7, {2, 1})}, {}}};
}

}  // namespace

extern const OpDef op_max = {
    .name = "Max", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
