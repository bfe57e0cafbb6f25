// Selu: gamma * x, gamma * alpha * (exp(x) - 1) where negative.
#include <algorithm>
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

struct Selu {
  static constexpr Elements kElements = Elements::kFloats;
  double alpha, gamma;
  explicit Selu(const Node& node) : alpha(node.Float("alpha", 1.67326319f)), gamma(node.Float("gamma", 1.05070102f)) {}
  template <class T>
  auto operator()(T value) const {
    const double x = value;
    return gamma * (x > 0 ? x : alpha * std::expm1(x));
  }
};

}  // namespace

extern const OpDef op_selu = {"Selu", "", 6, InferUnary, EvalUnary<Selu>};

}  // namespace tamis
