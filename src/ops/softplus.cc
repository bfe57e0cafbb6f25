// Softplus.
#include <algorithm>
#include <cmath>
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Softplus : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    const double wide = x;
    return std::max(wide, 0.0) + std::log1p(std::exp(-std::abs(wide)));
  }
};

}  // namespace

extern const OpDef op_softplus = {"Softplus", "", 1, InferUnary, EvalUnary<Softplus>};

}  // namespace tamis
