#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) {
    if constexpr (std::is_same_v<decltype(x), double>) return std::fabs(x);
    return std::is_signed_v<decltype(x)> && x < decltype(x){} ? Wrapping(decltype(x){}, x, std::minus<>()) : x;
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleInts(2, {7}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_abs = {
    .name = "Abs", .domain = "", .infer = InferUnaryOf<kNumbers>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
