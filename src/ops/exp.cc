// Exp.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Exp : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::exp(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_exp = {"Exp", "", 6, InferUnary, EvalUnary<Exp>};

}  // namespace tamis
