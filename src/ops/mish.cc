// Mish.
#include <algorithm>
#include <cmath>
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Mish : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    const double wide = x;
    return wide * std::tanh(std::max(wide, 0.0) + std::log1p(std::exp(-std::abs(wide))));
  }
};

}  // namespace

extern const OpDef op_mish = {"Mish", "", 18, InferUnary, EvalUnary<Mish>};

}  // namespace tamis
