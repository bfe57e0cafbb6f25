// Tanh.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Tanh : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::tanh(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_tanh = {"Tanh", "", 6, InferUnary, EvalUnary<Tanh>};

}  // namespace tamis
