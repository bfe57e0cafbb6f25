// Min, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct MinOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T a, T b) const {
    return b < a || b != b ? b : a;
  }
};

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcast(context));
  InferContents(context, [](const Dim& a, const Dim& b) -> std::optional<Dim> { return Dim::Min(a, b); });
  return {};
}

}  // namespace

extern const OpDef op_min = {"Min", "", 8, Infer, EvalBroadcast<MinOp>};

}  // namespace tamis
