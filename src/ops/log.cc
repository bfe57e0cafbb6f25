// Log.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Log : Plain {
  using Plain::Plain;
  static constexpr Elements kElements = Elements::kFloats;
  template <class T>
  auto operator()(T x) const {
    return std::log(static_cast<double>(x));
  }
};

}  // namespace

extern const OpDef op_log = {"Log", "", 6, InferUnary, EvalUnary<Log>};

}  // namespace tamis
