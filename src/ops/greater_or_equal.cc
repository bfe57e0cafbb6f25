// GreaterOrEqual, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct GreaterOrEqualOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};

}  // namespace

extern const OpDef op_greater_or_equal = {"GreaterOrEqual", "", 12, InferBroadcastBool,
                                          EvalBroadcast<GreaterOrEqualOp, bool>};

}  // namespace tamis
