// Not.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Not : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kBools;
  template <class T>
  auto operator()(T x) const {
    return !x;
  }
};

}  // namespace

extern const OpDef op_not = {"Not", "", 1, InferUnary, EvalUnary<Not>};

}  // namespace tamis
