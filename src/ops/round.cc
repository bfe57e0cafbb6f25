// Round: to the nearest integer, ties to even.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Round : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::nearbyint(x);
  }
};

}  // namespace

extern const OpDef op_round = {"Round", "", 11, InferUnary, EvalUnary<Round>};

}  // namespace tamis
