// What prepares features: scales, norms, values for those that are missing.
#include <array>
#include <cmath>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"
#include "src/onnx/ml_scores.h"

namespace tamis {
namespace {

std::string Float(ContribNode& node, int input) {
  return node.Emit("Cast", {node.In(input)}, {{"to", int64_t{onnx::TensorProto::FLOAT}}});
}

bool ExpandScaler(ContribNode& node) {
  const auto offset = node.Floats("offset"), scale = node.Floats("scale");
  std::string x = Float(node, 0);
  if (!offset.empty()) x = node.Emit("Sub", {x, node.FloatsConstant(offset)});
  if (!scale.empty()) x = node.Emit("Mul", {x, node.FloatsConstant(scale)});
  node.Give(0, x);
  return true;
}

bool ExpandNormalizer(ContribNode& node) {
  const std::string norm = node.String("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2") return false;
  const std::string x = Float(node, 0);
  if (norm != "MAX") {
    node.Give(0, node.Emit("LpNormalization", {x}, {{"axis", int64_t{-1}}, {"p", int64_t{norm == "L1" ? 1 : 2}}}));
    return true;
  }
  const std::string greatest = node.ReduceMax(x, {-1}, true);
  const std::string is_zero = node.Emit("Equal", {greatest, node.FloatConstant(0)});
  node.Give(0, node.Emit("Div", {x, node.Emit("Where", {is_zero, node.FloatConstant(1), greatest})}));
  return true;
}

// The type of x is that of the list which is given.
bool ExpandImputer(ContribNode& node) {
  const auto floats = node.Floats("imputed_value_floats");
  const auto ints = node.Ints("imputed_value_int64s");
  if (floats.empty() == ints.empty()) return false;
  const float replaced = node.Float("replaced_value_float", 0);
  const std::string x = node.In(0);
  std::string missing;
  if (!ints.empty()) {
    missing = node.Emit("Equal", {x, node.IntsConstant({node.Int("replaced_value_int64", 0)})});
  } else if (std::isnan(replaced)) {
    missing = node.Emit("IsNaN", {x});
  } else {
    missing = node.Emit("Equal", {x, node.FloatConstant(replaced)});
  }
  const std::string instead = ints.empty() ? node.FloatsConstant(floats) : node.IntsConstant(ints);
  node.Give(0, node.Emit("Where", {missing, instead, x}));
  return true;
}

bool ExpandVectorizer(ContribNode& node) {
  ContribNode::Names parts;
  for (int i = 0; i < node.num_inputs(); ++i) {
    const std::string x = Float(node, i);
    parts.push_back(node.Rank(node.In(i)) == 1 ? node.Reshape(x, {1, -1}) : x);
  }
  if (parts.empty()) return false;
  node.Give(0, node.Emit("Concat", parts, {{"axis", int64_t{1}}}));
  return true;
}

}  // namespace

std::span<const ContribRule> MlFeatureRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"FeatureVectorizer", ExpandVectorizer},
      {"Imputer", ExpandImputer},
      {"Normalizer", ExpandNormalizer},
      {"Scaler", ExpandScaler},
  });
  return kRules;
}

}  // namespace tamis
