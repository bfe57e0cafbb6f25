// HardSigmoid: clamp(alpha * x + beta, 0, 1).
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct HardSigmoid {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha, beta;
  explicit HardSigmoid(const Node& node) : alpha(node.Float("alpha", 0.2f)), beta(node.Float("beta", 0.5f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return std::clamp(alpha * x + beta, 0.0, 1.0);
  }
};

}  // namespace

extern const OpDef op_hard_sigmoid = {"HardSigmoid", "", 6, InferUnary, EvalUnary<HardSigmoid>};

}  // namespace tamis
