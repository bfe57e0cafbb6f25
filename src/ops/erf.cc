// Erf.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Erf : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x) const {
    return std::erf(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_erf = {"Erf", "", 9, InferUnary, EvalUnary<Erf>};

}  // namespace tamis
