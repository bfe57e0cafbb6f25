#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// fmod=0: the result has the divisor's sign (floats since opset 28); fmod=1: the dividend's, as in C.
std::optional<Dim> ModDims(const InferContext& context, const Dim& a, const Dim& b) {
  if (IsFloat(context.InputDType(0)) || b == Dim(0) || b == Dim(-1)) return std::nullopt;
  const bool same_either_way = a.NonNegative() && b.NonNegative();
  if (context.node().Int("fmod", 0) != 0 && !same_either_way) return std::nullopt;
  return Dim::Mod(a, b);
}

Status Infer(InferContext& context) {
  const bool fmod = context.node().Int("fmod", 0) != 0;
  if (!fmod && IsFloat(context.InputDType(0)) && context.opset() < 28) {
    return context.Error("floats need the attribute fmod=1 before opset 28");
  }
  return InferBroadcast(context, {.contents = ModDims});
}

Status Eval(EvalContext& context) {
  const bool fmod = context.node.Int("fmod", 0) != 0;
  bool by_zero = false;
  TAMIS_RETURN_IF_ERROR(EvalElements<2>(context, [&](auto a, auto b) {
    using W = decltype(a);
    if constexpr (std::is_same_v<W, double>) {
      const double rest = std::fmod(a, b);
      if (fmod) return rest;
      if (rest == 0) return std::copysign(rest, b);
      if (std::signbit(rest) == std::signbit(b)) return rest;
      return std::isinf(b) ? b : rest + b;
    } else {
      by_zero = by_zero || b == 0;
      if (b == 0 || b == static_cast<W>(-1)) return std::is_signed_v<W> || b == 0 ? W{} : a % b;
      const W rest = a % b;
      return !fmod && rest != 0 && (rest < W{}) != (b < W{}) ? rest + b : rest;
    }
  }));
  return by_zero ? context.Error("the remainder of a division by zero is not defined") : Status();
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 5}), SampleFloats(2, {5}, 1, 4)}, {{"fmod", int64_t{1}}}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_mod = {
    .name = "Mod", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
