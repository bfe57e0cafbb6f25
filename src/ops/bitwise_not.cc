#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) { return static_cast<decltype(x)>(~static_cast<uint64_t>(x)); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {2, 3}, -99, 99)}, {}}};
}

}  // namespace

extern const OpDef op_bitwise_not = {.name = "BitwiseNot",
                                     .domain = "",
                                     .since_opset = 18,
                                     .infer = InferUnaryOf<kIntegers>,
                                     .eval = Eval,
                                     .test_cases = Cases};

}  // namespace tamis
