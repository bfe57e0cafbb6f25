// Neg.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Neg : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x) const {
    return -x;
  }
};

}  // namespace

extern const OpDef op_neg = {"Neg", "", 6, InferUnary, EvalUnary<Neg>};

}  // namespace tamis
