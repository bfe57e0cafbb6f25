// Abs.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Abs : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kNumbers;
  template <class T>
  auto operator()(T x) const {
    if constexpr (std::is_unsigned_v<T>) {
      return x;
    } else {
      return x < T{0} ? -x : x;
    }
  }
};

}  // namespace

extern const OpDef op_abs = {"Abs", "", 6, InferUnary, EvalUnary<Abs>};

}  // namespace tamis
