// Add, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct AddOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T a, T b) const {
    return a + b;
  }
};

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferBroadcast(context));
  InferContents(context, [](const Dim& a, const Dim& b) -> std::optional<Dim> { return a + b; });
  return {};
}

}  // namespace

extern const OpDef op_add = {"Add", "", 7, Infer, EvalBroadcast<AddOp>};

}  // namespace tamis
