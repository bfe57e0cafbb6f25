// Ceil.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Ceil : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::ceil(x);
  }
};

}  // namespace

extern const OpDef op_ceil = {"Ceil", "", 6, InferUnary, EvalUnary<Ceil>};

}  // namespace tamis
