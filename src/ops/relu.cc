#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) { return x < decltype(x){} ? decltype(x){} : x; });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}, {{SampleInts(2, {7}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_relu = {
    .name = "Relu", .domain = "", .infer = InferUnaryOf<kNumbers>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
