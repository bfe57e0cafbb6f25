// Elu: alpha * (exp(x) - 1) where negative.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Elu {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha;
  explicit Elu(const Node& node) : alpha(node.Float("alpha", 1.0f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return x < 0 ? alpha * std::expm1(x) : x;
  }
};

}  // namespace

extern const OpDef op_elu = {"Elu", "", 6, InferUnary, EvalUnary<Elu>};

}  // namespace tamis
