#include <functional>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  if (auto contents = Contents(context, 0)) {
    for (Dim& dim : *contents) dim = Dim(0) - dim;
    SetTracked(context, 0, std::move(*contents));
  }
  return InferUnary(context, kNumbers);
}

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) {
    if constexpr (std::is_same_v<decltype(x), double>) return -x;  // 0 becomes -0
    return Wrapping(decltype(x){}, x, std::minus<>());
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleInts(2, {7}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_neg = {.name = "Neg", .domain = "", .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
