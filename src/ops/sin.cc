// Sin.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Sin : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::sin(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_sin = {"Sin", "", 7, InferUnary, EvalUnary<Sin>};

}  // namespace tamis
