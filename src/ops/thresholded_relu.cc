// ThresholdedRelu: x where above alpha, else 0.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct ThresholdedRelu {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha;
  explicit ThresholdedRelu(const Node& node) : alpha(node.Float("alpha", 1.0f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return x > alpha ? x : 0.0;
  }
};

}  // namespace

extern const OpDef op_thresholded_relu = {"ThresholdedRelu", "", 10, InferUnary, EvalUnary<ThresholdedRelu>};

}  // namespace tamis
