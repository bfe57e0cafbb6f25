// Sigmoid.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Sigmoid : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return 1 / (1 + std::exp(-static_cast<double>(x)));
  }
};

}  // namespace

extern const OpDef op_sigmoid = {"Sigmoid", "", 6, InferUnary, EvalUnary<Sigmoid>};

}  // namespace tamis
