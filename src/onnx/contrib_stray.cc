// Operators that converters leave in ONNX's own domain, which has none of their names.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// tf2onnx, and Keras through it, write TensorFlow's name as it is: every exact GELU of theirs has one.
bool ExpandErfc(ContribNode& node) {
  const std::string erf = node.Emit("Erf", {node.In(0)});
  node.Give(0, node.Emit("Sub", {node.ScalarLike(1, node.In(0)), erf}));
  return true;
}

}  // namespace

std::span<const ContribRule> StrayRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({{"Erfc", ExpandErfc}});
  return kRules;
}

}  // namespace tamis
