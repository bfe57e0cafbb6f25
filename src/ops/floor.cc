// Floor.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Floor : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::floor(x);
  }
};

}  // namespace

extern const OpDef op_floor = {"Floor", "", 6, InferUnary, EvalUnary<Floor>};

}  // namespace tamis
