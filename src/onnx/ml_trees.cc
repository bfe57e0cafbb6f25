// Tree ensembles: the sums of the leaves stay one operator, TreeEnsembleRegressor or TreeEnsemble; labels and
// transforms are operators of ONNX.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"
#include "src/onnx/ml_scores.h"

namespace tamis {
namespace {

constexpr const char *kStrings = "classlabels_strings", *kInts = "classlabels_int64s";

const onnx::AttributeProto* Find(const ContribNode& node, const std::string& name) {
  for (const auto& attribute : node.proto().attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

// Elements of a list of floats, or of the tensor that has its place.
size_t NumNumbers(const ContribNode& node, const std::string& name) {
  const auto* tensor = Find(node, name + "_as_tensor");
  if (tensor == nullptr) return node.Floats(name).size();
  size_t count = 1;
  for (const int64_t dim : tensor->t().dims()) count *= static_cast<size_t>(std::max<int64_t>(dim, 0));
  return count;
}

bool AnyNegative(const ContribNode& node) {
  const auto negative = [](auto value) { return value < 0; };
  const auto* tensor = Find(node, "class_weights_as_tensor");
  if (tensor == nullptr) {
    const auto weights = node.Floats("class_weights");
    return std::any_of(weights.begin(), weights.end(), negative);
  }
  const auto& t = tensor->t();
  const auto in_raw = [&]<class T>(T value) {
    for (size_t at = 0; at + sizeof(T) <= t.raw_data().size(); at += sizeof(T)) {
      std::memcpy(&value, t.raw_data().data() + at, sizeof(T));
      if (value < 0) return true;
    }
    return false;
  };
  return std::any_of(t.float_data().begin(), t.float_data().end(), negative) ||
         std::any_of(t.double_data().begin(), t.double_data().end(), negative) ||
         (t.data_type() == onnx::TensorProto::DOUBLE ? in_raw(double{}) : in_raw(float{}));
}

// The sums [N, targets] of the classifier's leaves.
std::string Sums(ContribNode& node, int64_t targets) {
  static const std::map<std::string, std::string> kNames = {{"class_treeids", "target_treeids"},
                                                            {"class_nodeids", "target_nodeids"},
                                                            {"class_ids", "target_ids"},
                                                            {"class_weights", "target_weights"},
                                                            {"class_weights_as_tensor", "target_weights_as_tensor"}};
  const std::string x = node.Rank(node.In(0)) == 1 ? node.Reshape(node.In(0), {1, -1}) : node.In(0);
  const std::string sums = node.EmitLike("TreeEnsembleRegressor", {x}, {kStrings, kInts, "post_transform"});
  onnx::NodeProto* made = node.Last();
  made->set_domain(node.proto().domain());
  for (auto& attribute : *made->mutable_attribute()) {
    const auto renamed = kNames.find(attribute.name());
    if (renamed != kNames.end()) attribute.set_name(renamed->second);
  }
  auto* count = made->add_attribute();
  count->set_name("n_targets");
  count->set_type(onnx::AttributeProto::INT);
  count->set_i(targets);
  return sums;
}

bool ExpandClassifier(ContribNode& node) {
  const std::string transform = node.String("post_transform", "NONE");
  const int64_t labels = NumLabels(node, kStrings, kInts);
  const auto ids = node.Ints("class_ids");
  const auto only = [&](int64_t id) { return std::all_of(ids.begin(), ids.end(), [&](int64_t i) { return i == id; }); };
  // Two labels and leaves that speak of one of them: it is taken where the sum is large enough.
  const bool binary = labels == 2 && (only(0) || only(1));
  const bool one_sum = binary && only(0) && NumNumbers(node, "base_values") != 2;
  if (labels < 1 || !IsPostTransform(transform) || (one_sum && transform == "PROBIT")) return false;
  const bool probabilities = !AnyNegative(node);
  const float threshold = probabilities ? 0.5F : 0.0F;
  const std::string sums = Sums(node, one_sum ? 1 : labels);
  if (one_sum) {
    GiveLabels(node, IsAbove(node, sums, threshold), kStrings, kInts);
  } else if (binary && only(1)) {
    const std::string second = node.Emit("Gather", {sums, node.IntsConstant({1})}, {{"axis", int64_t{1}}});
    GiveLabels(node, IsAbove(node, second, threshold), kStrings, kInts);
  } else {
    GiveLabels(node, BestColumn(node, sums), kStrings, kInts);
  }
  if (!node.Wants(1)) return true;
  if (!one_sum) {
    node.Give(1, Transformed(node, sums, transform));
  } else {
    const std::string second = transform == "LOGISTIC" ? node.Emit("Sigmoid", {sums}) : sums;
    const bool complement = probabilities || transform == "LOGISTIC";
    node.Give(1, Pair(node, complement ? OneMinus(node, second) : node.Emit("Neg", {second}), second));
  }
  return true;
}

bool ExpandSums(ContribNode& node, const std::string& op, const std::string& transform) {
  if (transform == "NONE" || !IsPostTransform(transform)) return false;
  const std::string sums = node.EmitLike(op, {node.In(0)}, {"post_transform"});
  node.Last()->set_domain(node.proto().domain());
  node.Give(0, Transformed(node, sums, transform));
  return true;
}

bool ExpandRegressor(ContribNode& node) {
  return ExpandSums(node, "TreeEnsembleRegressor", node.String("post_transform", "NONE"));
}

bool ExpandEnsemble(ContribNode& node) {
  constexpr std::array<const char*, 5> kTransforms = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  const int64_t transform = node.Int("post_transform", 0);
  if (transform < 0 || transform >= static_cast<int64_t>(kTransforms.size())) return false;
  return ExpandSums(node, "TreeEnsemble", kTransforms[static_cast<size_t>(transform)]);
}

}  // namespace

std::span<const ContribRule> MlTreeRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"TreeEnsemble", ExpandEnsemble},
      {"TreeEnsembleClassifier", ExpandClassifier},
      {"TreeEnsembleRegressor", ExpandRegressor},
  });
  return kRules;
}

}  // namespace tamis
