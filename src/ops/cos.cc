// Cos.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Cos : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::cos(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_cos = {"Cos", "", 7, InferUnary, EvalUnary<Cos>};

}  // namespace tamis
