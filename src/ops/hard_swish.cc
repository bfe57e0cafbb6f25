// HardSwish: x * clamp(x / 6 + 1 / 2, 0, 1).
#include <algorithm>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct HardSwish : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
  }
};

}  // namespace

extern const OpDef op_hard_swish = {"HardSwish", "", 14, InferUnary, EvalUnary<HardSwish>};

}  // namespace tamis
