// LessOrEqual, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct LessOrEqualOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};

}  // namespace

extern const OpDef op_less_or_equal = {"LessOrEqual", "", 12, InferBroadcastBool, EvalBroadcast<LessOrEqualOp, bool>};

}  // namespace tamis
