// Relu.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Relu : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x) const {
    return x < T{0} ? T{0} : x;
  }
};

}  // namespace

extern const OpDef op_relu = {"Relu", "", 6, InferUnary, EvalUnary<Relu>};

}  // namespace tamis
