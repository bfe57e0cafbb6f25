#include <functional>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Integers truncate toward zero; for lengths, which are not negative, that is floor.
std::optional<Dim> DivideDims(const InferContext& context, const Dim& a, const Dim& b) {
  if (IsFloat(context.InputDType(0))) {  // floats that hold lengths: only an exact quotient is one
    if (b.IsConstant() && b.Constant() != 0 && Dim::Mod(a, b) == Dim(0)) return Dim::FloorDiv(a, b);
    return std::nullopt;
  }
  const auto ca = a.Constant();
  const auto cb = b.Constant();
  if (cb == 0) return std::nullopt;
  if (ca && cb) return *cb == -1 ? Dim(0) - a : Dim(*ca / *cb);
  if (!a.NonNegative() || !b.NonNegative()) return std::nullopt;
  return Dim::FloorDiv(a, b);
}

Status Infer(InferContext& context) {
  return InferBroadcast(context, {.contents = DivideDims});
}

Status Eval(EvalContext& context) {
  bool by_zero = false;
  TAMIS_RETURN_IF_ERROR(EvalElements<2>(context, [&](auto a, auto b) {
    using W = decltype(a);
    if constexpr (!std::is_same_v<W, double>) {
      if (b == 0) {
        by_zero = true;
        return W{};
      }
      if constexpr (std::is_signed_v<W>) {
        if (b == -1) return Wrapping(W{}, a, std::minus<>());  // the most negative number has no opposite
      }
    }
    return static_cast<W>(a / b);
  }));
  return by_zero ? context.Error("an integer is divided by zero") : Status();
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {2, 1, 5}), SampleFloats(2, {3, 1}, 1, 4)}, {}},
          {{SampleInts(3, {4}, -9, 9), SampleInts(4, {}, 1, 9)}, {}}};
}

}  // namespace

extern const OpDef op_div = {
    .name = "Div", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
