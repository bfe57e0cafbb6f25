// Sum, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct SumOp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T a, T b) const {
    return a + b;
  }
};

}  // namespace

extern const OpDef op_sum = {"Sum", "", 8, InferBroadcast, EvalBroadcast<SumOp>};

}  // namespace tamis
