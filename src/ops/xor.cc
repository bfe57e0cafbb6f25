// Xor, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct XorOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kBools;
  template <class T>
  bool operator()(T a, T b) const {
    return a != b;
  }
};

}  // namespace

extern const OpDef op_xor = {"Xor", "", 7, InferBroadcastBool, EvalBroadcast<XorOp, bool>};

}  // namespace tamis
