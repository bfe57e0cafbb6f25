// Celu: max(0, x) + min(0, alpha * (exp(x / alpha) - 1)).
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Celu {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha;
  explicit Celu(const Node& node) : alpha(node.Float("alpha", 1.0f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return std::max(x, 0.0) + std::min(0.0, alpha * std::expm1(x / alpha));
  }
};

}  // namespace

extern const OpDef op_celu = {"Celu", "", 12, InferUnary, EvalUnary<Celu>};

}  // namespace tamis
