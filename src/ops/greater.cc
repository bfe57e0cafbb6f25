// Greater, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct GreaterOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcastBool(context));
  InferContents(context, [](const Dim& a, const Dim& b) -> std::optional<Dim> {
    const auto x = a.Constant();
    const auto y = b.Constant();
    if (x && y) return Dim(*x > *y ? 1 : 0);
    return std::nullopt;
  });
  return {};
}

}  // namespace

extern const OpDef op_greater = {"Greater", "", 7, Infer, EvalBroadcast<GreaterOp, bool>};

}  // namespace tamis
