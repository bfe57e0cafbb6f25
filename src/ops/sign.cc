#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) {
    using W = decltype(x);
    if constexpr (std::is_same_v<W, double>) {
      if (std::isnan(x)) return x;
    }
    return static_cast<W>(x > W{}) - static_cast<W>(x < W{});
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleInts(2, {7}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_sign = {
    .name = "Sign", .domain = "", .infer = InferUnaryOf<kNumbers>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
