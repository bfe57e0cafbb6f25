// Sign.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Sign : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x) const {
    return static_cast<T>((T{0} < x) - (x < T{0}));
  }
};

}  // namespace

extern const OpDef op_sign = {"Sign", "", 9, InferUnary, EvalUnary<Sign>};

}  // namespace tamis
