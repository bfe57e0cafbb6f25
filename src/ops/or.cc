// Or, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct OrOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kBools;
  template <class T>
  bool operator()(T a, T b) const {
    return a || b;
  }
};

}  // namespace

extern const OpDef op_or = {"Or", "", 7, InferBroadcastBool, EvalBroadcast<OrOp, bool>};

}  // namespace tamis
