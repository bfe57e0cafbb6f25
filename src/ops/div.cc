// Div, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct DivOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      // Division by zero has no result in ONNX; 0 keeps the program alive, and the lowest number over -1 wraps.
      if (b == 0) return T{0};
      if constexpr (std::is_signed_v<T>) {
        if (b == T{-1}) return static_cast<T>(-static_cast<std::make_unsigned_t<T>>(a));
      }
      return static_cast<T>(a / b);
    } else {
      return a / b;
    }
  }
};

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcast(context));
  InferContents(context, [](const Dim& a, const Dim& b) -> std::optional<Dim> {
    const auto divisor = b.Constant();
    if (divisor && *divisor == 0) return std::nullopt;
    return Dim::FloorDiv(a, b);
  });
  return {};
}

}  // namespace

extern const OpDef op_div = {"Div", "", 7, Infer, EvalBroadcast<DivOp>};

}  // namespace tamis
