#include "src/onnx/ml_scores.h"

#include <cmath>
#include <numbers>

#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

const ContribNode::Attributes kToInt64 = {{"to", int64_t{onnx::TensorProto::INT64}}};

// Zeros stay zero.
std::string SoftmaxOfNonZero(ContribNode& node, const std::string& x) {
  constexpr float kZero = 1e-7F;
  const std::string kept = node.Emit("Greater", {node.Emit("Abs", {x}), node.FloatConstant(kZero)});
  const std::string greatest = node.ReduceMax(x, {1}, true);
  const std::string power = node.Emit("Exp", {node.Emit("Sub", {x, greatest})});
  const std::string counted = node.Emit("Where", {kept, power, node.FloatConstant(0)});
  const std::string scaled = node.Emit("Mul", {x, node.Emit("Exp", {node.Emit("Neg", {greatest})})});
  return node.Emit("Div", {node.Emit("Where", {kept, power, scaled}), node.ReduceSum(counted, {1}, true)});
}

// sqrt(2) times the inverse of the error function at 2 p - 1, by Winitzki's approximation, which everyone has here.
std::string Probit(ContribNode& node, const std::string& p) {
  constexpr float kFit = 0.147F;
  const auto constant = [&](float value) { return node.FloatConstant(value); };
  const std::string x = node.Emit("Sub", {node.Emit("Mul", {p, constant(2)}), constant(1)});
  const std::string log = node.Emit("Log", {OneMinus(node, node.Emit("Mul", {x, x}))});
  const std::string v =
      node.Emit("Add", {node.Emit("Mul", {log, constant(0.5F)}), constant(2 / (std::numbers::pi_v<float> * kFit))});
  const std::string inner = node.Emit("Sub", {node.Emit("Mul", {v, v}), node.Emit("Mul", {log, constant(1 / kFit)})});
  const std::string root = node.Emit("Sqrt", {node.Emit("Sub", {node.Emit("Sqrt", {inner}), v})});
  return node.Emit("Mul", {node.Emit("Mul", {root, constant(std::numbers::sqrt2_v<float>)}), node.Emit("Sign", {x})});
}

}  // namespace

std::string FloatRows(ContribNode& node) {
  const std::string x = node.Emit("Cast", {node.In(0)}, {{"to", int64_t{onnx::TensorProto::FLOAT}}});
  return node.Rank(node.In(0)) == 1 ? node.Reshape(x, {1, -1}) : x;
}

bool IsPostTransform(std::string_view transform) {
  return transform == "NONE" || transform == "LOGISTIC" || transform == "SOFTMAX" || transform == "SOFTMAX_ZERO" ||
         transform == "PROBIT";
}

std::string Transformed(ContribNode& node, const std::string& scores, std::string_view transform) {
  if (transform == "LOGISTIC") return node.Emit("Sigmoid", {scores});
  if (transform == "SOFTMAX") return node.Emit("Softmax", {scores}, {{"axis", int64_t{1}}});
  if (transform == "SOFTMAX_ZERO") return SoftmaxOfNonZero(node, scores);
  return transform == "PROBIT" ? Probit(node, scores) : scores;
}

std::string BestColumn(ContribNode& node, const std::string& scores) {
  return node.Emit("ArgMax", {scores}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
}

std::string IsAbove(ContribNode& node, const std::string& score, float threshold) {
  const std::string above = node.Emit("Greater", {score, node.FloatConstant(threshold)});
  return node.Reshape(node.Emit("Cast", {above}, kToInt64), {-1});
}

std::string Pair(ContribNode& node, const std::string& first, const std::string& second) {
  return node.Emit("Concat", {first, second}, {{"axis", int64_t{1}}});
}

std::string OneMinus(ContribNode& node, const std::string& x) {
  return node.Emit("Sub", {node.FloatConstant(1), x});
}

int64_t NumLabels(const ContribNode& node, const std::string& strings, const std::string& ints) {
  const size_t texts = node.Strings(strings).size();
  return static_cast<int64_t>(texts > 0 ? texts : node.Ints(ints).size());
}

void GiveLabels(ContribNode& node, const std::string& places, const std::string& strings, const std::string& ints) {
  const auto texts = node.Strings(strings);
  const std::string labels = texts.empty() ? node.IntsConstant(node.Ints(ints)) : node.StringsConstant(texts);
  node.Give(0, node.Emit("Gather", {labels, places}));
}

}  // namespace tamis
