// Softsign.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Softsign : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return x / (1 + std::abs(static_cast<double>(x)));
  }
};

}  // namespace

extern const OpDef op_softsign = {"Softsign", "", 1, InferUnary, EvalUnary<Softsign>};

}  // namespace tamis
