// Reciprocal.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Reciprocal : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return 1 / static_cast<double>(x);
  }
};

}  // namespace

extern const OpDef op_reciprocal = {"Reciprocal", "", 6, InferUnary, EvalUnary<Reciprocal>};

}  // namespace tamis
