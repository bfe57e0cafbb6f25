// Support vector machines: the machine stays one operator; labels that are strings and transforms of scores are
// operators of ONNX.
#include <array>
#include <numeric>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"
#include "src/onnx/ml_scores.h"

namespace tamis {
namespace {

constexpr const char *kStrings = "classlabels_strings", *kInts = "classlabels_ints";

void SetInts(onnx::NodeProto* node, const std::string& name, const std::vector<int64_t>& values) {
  auto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute->add_ints(value);
}

bool ExpandClassifier(ContribNode& node) {
  const std::string transform = node.String("post_transform", "NONE");
  const int64_t labels = NumLabels(node, kStrings, kInts);
  if (labels < 1 || !IsPostTransform(transform)) return false;
  if (transform == "NONE" && node.Strings(kStrings).empty()) return false;
  std::vector<int64_t> places(static_cast<size_t>(labels));
  std::iota(places.begin(), places.end(), 0);
  const std::string place = node.EmitLike("SVMClassifier", {node.In(0)}, {kStrings, kInts, "post_transform"});
  const std::string scores = place + "_scores";
  node.Last()->set_domain(node.proto().domain());
  node.Last()->add_output(scores);
  SetInts(node.Last(), kInts, places);
  GiveLabels(node, place, kStrings, kInts);
  if (!node.Wants(1)) return true;
  const bool one_pair = labels == 2 && !node.Ints("vectors_per_class").empty() && node.Floats("prob_a").empty();
  if (transform == "NONE") {
    node.Give(1, node.Emit("Identity", {scores}));
  } else if (one_pair) {  // the score of one pair is taken for a probability, or made one
    const std::string score = node.Emit("Gather", {scores, node.IntsConstant({1})}, {{"axis", int64_t{1}}});
    const std::string second = transform == "LOGISTIC" ? Transformed(node, score, transform) : score;
    node.Give(1, Pair(node, OneMinus(node, second), second));
  } else {
    node.Give(1, Transformed(node, scores, transform));
  }
  return true;
}

bool ExpandRegressor(ContribNode& node) {
  const std::string transform = node.String("post_transform", "NONE");
  if (transform == "NONE" || !IsPostTransform(transform)) return false;
  const std::string score = node.EmitLike("SVMRegressor", {node.In(0)}, {"post_transform"});
  node.Last()->set_domain(node.proto().domain());
  node.Give(0, Transformed(node, score, transform));
  return true;
}

}  // namespace

std::span<const ContribRule> MlSvmRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"SVMClassifier", ExpandClassifier},
      {"SVMRegressor", ExpandRegressor},
  });
  return kRules;
}

}  // namespace tamis
