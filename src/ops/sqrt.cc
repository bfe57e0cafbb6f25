// Sqrt.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Sqrt : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::sqrt(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_sqrt = {"Sqrt", "", 6, InferUnary, EvalUnary<Sqrt>};

}  // namespace tamis
