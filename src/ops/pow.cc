#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// The result has the base's dtype; from opset 12 on the exponent may have another.
Status Infer(InferContext& context) {
  return InferBroadcast(context, {.same_dtype = context.opset() < 12});
}

template <class W>
W IntegerPower(W base, int64_t exponent) {
  if (exponent < 0) {  // 1 / base^n, truncated: only 1 and -1 have one
    if (base == W{1} || (std::is_signed_v<W> && base == static_cast<W>(-1))) return exponent % 2 == 0 ? W{1} : base;
    return W{};
  }
  uint64_t result = 1;
  auto factor = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, factor *= factor) {
    if (exponent & 1) result *= factor;
  }
  return static_cast<W>(result);
}

template <class W, class E>
void Evaluate(EvalContext& context) {
  Tensor& output = context.outputs[0];
  const WideReader bases(*context.input(0), output.dims());
  const WideReader exponents(*context.input(1), output.dims());
  std::array<W, 256> base, out;
  std::array<E, 256> exponent;
  for (int64_t begin = 0; begin < output.NumElements(); begin += 256) {
    const auto size = static_cast<size_t>(std::min<int64_t>(256, output.NumElements() - begin));
    bases.Read<W>(begin, std::span<W>(base).first(size));
    exponents.Read<E>(begin, std::span<E>(exponent).first(size));
    for (size_t i = 0; i < size; ++i) {
      if constexpr (std::is_same_v<E, double>) {
        const double power = std::pow(static_cast<double>(base[i]), exponent[i]);
        if constexpr (std::is_same_v<W, double>) {
          out[i] = power;
        } else {
          out[i] = std::isnan(power) ? 0 : static_cast<W>(std::clamp(power, -0x1p62, 0x1p62));
        }
      } else {
        out[i] = IntegerPower(base[i], exponent[i]);
      }
    }
    WriteWide<W>(output, begin, std::span<const W>(out).first(size));
  }
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Wide base = WideOf(context.input(0)->dtype());
  if (base == Wide::kDouble) {
    Evaluate<double, double>(context);
  } else if (WideOf(context.input(1)->dtype()) == Wide::kDouble) {
    Evaluate<int64_t, double>(context);
  } else if (base == Wide::kInt64) {
    Evaluate<int64_t, int64_t>(context);
  } else {
    Evaluate<uint64_t, int64_t>(context);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}, 0.1, 3), SampleFloats(2, {3, 1})}, {}},
          {{SampleInts(3, {4}, -3, 3), SampleInts(4, {}, 0, 4)}, {}},
          {{SampleFloats(5, {4}), SampleInts(6, {4}, -2, 3)}, {}}};
}

}  // namespace

extern const OpDef op_pow = {
    .name = "Pow", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
