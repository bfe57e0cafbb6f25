#include <string>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const std::string direction = context.node().String("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return context.Error(fmt::format("direction is '{}', must be LEFT or RIGHT", direction));
  }
  return InferBroadcast(context, {.allowed = kIntegers});
}

// A shift by a negative amount, or by all bits or more, leaves what the sign fills in: -1 where a negative number goes
// right, else 0. The wide type has the sign of the element, and writing cuts off what went past its bits.
Status Eval(EvalContext& context) {
  const bool left = context.node.String("direction", "") == "LEFT";
  const auto bits = static_cast<uint64_t>(context.input(0) == nullptr ? 0 : BitSize(context.input(0)->dtype()));
  return EvalElements<2>(context, [left, bits](auto a, auto b) {
    using W = decltype(a);
    const auto amount = static_cast<uint64_t>(b);  // a negative one is larger than any number of bits
    if constexpr (std::is_integral_v<W>) {
      if (amount >= bits) return !left && a < W{} ? static_cast<W>(-1) : W{};
      return left ? static_cast<W>(static_cast<uint64_t>(a) << amount) : static_cast<W>(a >> amount);
    } else {
      return a;
    }
  });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleInts(1, {2, 1, 5}, -99, 99), SampleInts(2, {3, 1}, 0, 9)}, {{"direction", std::string("LEFT")}}},
          {{SampleInts(3, {7}, -99, 99), SampleInts(4, {7}, -2, 70)}, {{"direction", std::string("RIGHT")}}}};
}

}  // namespace

extern const OpDef op_bit_shift = {
    .name = "BitShift", .domain = "", .since_opset = 11, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
