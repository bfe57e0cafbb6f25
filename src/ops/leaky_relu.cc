// LeakyRelu: x, alpha * x where negative.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct LeakyRelu {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha;
  explicit LeakyRelu(const Node& node) : alpha(node.Float("alpha", 0.01f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return x < 0 ? alpha * x : x;
  }
};

}  // namespace

extern const OpDef op_leaky_relu = {"LeakyRelu", "", 6, InferUnary, EvalUnary<LeakyRelu>};

}  // namespace tamis
