#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Bits that one operand has and the other has not; signed integers in two's complement.
Status Infer(InferContext& context) {
  return InferBroadcast(context, {.allowed = kIntegers});
}

Status Eval(EvalContext& context) {
  return EvalElements<2>(context, [](auto a, auto b) {
    using W = decltype(a);
    return static_cast<W>(static_cast<uint64_t>(a) ^ static_cast<uint64_t>(b));
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {2, 1, 5}, -99, 99), SampleInts(2, {3, 1}, -99, 99)}, {}}};
}

}  // namespace

extern const OpDef op_bitwise_xor = {
    .name = "BitwiseXor", .domain = "", .since_opset = 18, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
