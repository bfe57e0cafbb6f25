// Linear models: products with biases.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"
#include "src/onnx/ml_scores.h"

namespace tamis {
namespace {

// x times the coefficients [scores, features], plus the intercepts; "" where their numbers contradict one another.
std::string Scores(ContribNode& node, int64_t scores) {
  const auto coefficients = node.Floats("coefficients");
  auto intercepts = node.Floats("intercepts");
  intercepts.resize(static_cast<size_t>(scores), 0.0F);
  const int64_t features = static_cast<int64_t>(coefficients.size()) / scores;
  if (features < 1 || features * scores != static_cast<int64_t>(coefficients.size())) return "";
  return node.Emit("Gemm",
                   {FloatRows(node), node.MatrixConstant(coefficients, features), node.FloatsConstant(intercepts)},
                   {{"transB", int64_t{1}}});
}

bool ExpandRegressor(ContribNode& node) {
  const std::string transform = node.String("post_transform", "NONE");
  const int64_t targets = node.Int("targets", 1);
  if (!IsPostTransform(transform) || targets < 1 || node.Floats("intercepts").size() > static_cast<size_t>(targets)) {
    return false;
  }
  const std::string scores = Scores(node, targets);
  if (scores.empty()) return false;
  node.Give(0, Transformed(node, scores, transform));
  return true;
}

constexpr const char *kStrings = "classlabels_strings", *kInts = "classlabels_ints";

bool ExpandClassifier(ContribNode& node) {
  const std::string transform = node.String("post_transform", "NONE");
  const int64_t labels = NumLabels(node, kStrings, kInts);
  const auto intercepts = static_cast<int64_t>(node.Floats("intercepts").size());
  const int64_t count = intercepts > 0 ? intercepts : labels;
  const bool one = count == 1 && labels == 2;  // which speaks for the second label
  if (!IsPostTransform(transform) || count < 1 || (count != labels && !one) || (one && transform == "PROBIT")) {
    return false;
  }
  const std::string scores = Scores(node, count);
  if (scores.empty()) return false;
  GiveLabels(node, one ? IsAbove(node, scores, 0) : BestColumn(node, scores), kStrings, kInts);
  if (!node.Wants(1)) return true;
  if (!one) {
    node.Give(1, Transformed(node, scores, transform));
  } else {
    const std::string second = transform == "LOGISTIC" ? node.Emit("Sigmoid", {scores}) : scores;
    node.Give(1, Pair(node, OneMinus(node, second), second));
  }
  return true;
}

}  // namespace

std::span<const ContribRule> MlLinearRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"LinearClassifier", ExpandClassifier},
      {"LinearRegressor", ExpandRegressor},
  });
  return kRules;
}

}  // namespace tamis
