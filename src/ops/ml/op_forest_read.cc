// Trees from the attributes of ONNX's operators.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "src/ops/ml/op_forest.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

using Mode = TreeNode::Mode;

constexpr size_t kMostNodes = std::numeric_limits<int32_t>::max() / 4;  // splits are counted in int32_t
constexpr int64_t kMostFeatures = std::numeric_limits<int32_t>::max() / 2;
constexpr int64_t kMostTargets = 1 << 20;

// A list of floats, or the tensor NAME_as_tensor that has their place since version 3.
std::vector<double> Numbers(const Node& node, const std::string& name) {
  if (const Tensor* tensor = node.TensorAttribute(name + "_as_tensor")) return ReadDoubles(*tensor);
  const std::vector<float> list = node.Floats(name);
  return {list.begin(), list.end()};
}

void CheckSizes(const std::map<std::string, size_t>& sizes, size_t wanted, const std::string& what,
                NodeProblems* problems) {
  for (const auto& [name, size] : sizes) {
    if (size != wanted) problems->Add("{} has {} elements, must have {}, as {}", name, size, wanted, what);
  }
}

// Whoever walks down comes to a leaf: no node is below itself.
bool HasCycle(const TreeEnsemble& ensemble) {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> state(ensemble.nodes.size(), kNew);
  std::vector<int32_t> stack(ensemble.roots.begin(), ensemble.roots.end());
  while (!stack.empty()) {
    const auto at = static_cast<size_t>(stack.back());
    if (state[at] != kNew) {
      state[at] = kDone;
      stack.pop_back();
      continue;
    }
    state[at] = kOpen;
    const TreeNode& node = ensemble.nodes[at];
    if (node.leaf) continue;
    for (const int32_t next : {node.yes, node.no}) {
      const uint8_t there = state[static_cast<size_t>(next)];
      if (there == kOpen) return true;
      if (there == kNew) stack.push_back(next);
    }
  }
  return false;
}

void CheckNumbers(const TreeEnsemble& trees, NodeProblems* problems) {
  if (trees.targets < 1 || trees.targets > kMostTargets) problems->Add("n_targets is {}", trees.targets);
  for (const TreeNode& node : trees.nodes) {
    if (!node.leaf && (node.feature < 0 || node.feature >= kMostFeatures)) {
      return problems->Add("a tree node compares feature {}", node.feature);
    }
    for (const auto& [target, weight] : node.weights) {
      if (target < 0 || target >= trees.targets) {
        return problems->Add("a leaf has a weight for target {} of {}", target, trees.targets);
      }
    }
  }
}

Result<TreeSum> SumOf(const std::string& name) {
  if (name == "SUM") return TreeSum::kSum;
  if (name == "AVERAGE") return TreeSum::kAverage;
  if (name == "MIN") return TreeSum::kMin;
  if (name == "MAX") return TreeSum::kMax;
  return UserError("aggregate_function is '{}', must be SUM, AVERAGE, MIN or MAX", name);
}

struct IdHash {
  size_t operator()(const std::pair<int64_t, int64_t>& id) const {
    return static_cast<size_t>(id.first) * 0x9e3779b97f4a7c15u + static_cast<size_t>(id.second);
  }
};

void CheckTreeIsWhole(const TreeEnsemble& trees, NodeProblems* problems) {
  if (problems->empty() && HasCycle(trees)) problems->Add("a tree node is below itself");
}

}  // namespace

Result<TreeEnsemble> ReadTreesById(const Node& node) {
  NodeProblems problems;
  TreeEnsemble trees;
  trees.targets = node.Int("n_targets", 1);
  trees.base = Numbers(node, "base_values");
  const auto sum = SumOf(node.String("aggregate_function", "SUM"));
  if (sum.ok()) {
    trees.sum = *sum;
  } else {
    problems.Add("{}", sum.status().message());
  }
  const auto tree_ids = node.Ints("nodes_treeids"), node_ids = node.Ints("nodes_nodeids");
  const auto features = node.Ints("nodes_featureids"), yes = node.Ints("nodes_truenodeids"),
             no = node.Ints("nodes_falsenodeids"), missing = node.Ints("nodes_missing_value_tracks_true");
  const auto values = Numbers(node, "nodes_values");
  const auto& modes = StringsOf(node, "nodes_modes");
  const size_t count = tree_ids.size();
  if (count == 0 || count > kMostNodes) problems.Add("nodes_treeids has {} elements", count);
  CheckSizes({{"nodes_nodeids", node_ids.size()},
              {"nodes_featureids", features.size()},
              {"nodes_truenodeids", yes.size()},
              {"nodes_falsenodeids", no.size()},
              {"nodes_values", values.size()},
              {"nodes_modes", modes.size()}},
             count, "nodes_treeids", &problems);
  if (!missing.empty() && missing.size() != count) {
    problems.Add("nodes_missing_value_tracks_true has {} elements for {} nodes", missing.size(), count);
  }
  if (trees.base.size() > 1 && static_cast<int64_t>(trees.base.size()) != trees.targets) {
    problems.Add("base_values has {} elements for {} targets", trees.base.size(), trees.targets);
  } else if (trees.base.size() == 1) {
    trees.base.assign(static_cast<size_t>(std::clamp<int64_t>(trees.targets, 1, kMostTargets)), trees.base[0]);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());

  static const std::map<std::string, Mode> kModes = {
      {"BRANCH_LEQ", Mode::kLessEqual}, {"BRANCH_LT", Mode::kLess},  {"BRANCH_GTE", Mode::kGreaterEqual},
      {"BRANCH_GT", Mode::kGreater},    {"BRANCH_EQ", Mode::kEqual}, {"BRANCH_NEQ", Mode::kNotEqual},
      {"LEAF", Mode::kLessEqual}};
  std::unordered_map<std::pair<int64_t, int64_t>, int32_t, IdHash> places;
  for (size_t i = 0; i < count; ++i) {
    if (!places.emplace(std::pair(tree_ids[i], node_ids[i]), static_cast<int32_t>(i)).second) {
      problems.Add("node {} of tree {} is there twice", node_ids[i], tree_ids[i]);
    }
    if (i == 0 || tree_ids[i] != tree_ids[i - 1]) trees.roots.push_back(static_cast<int32_t>(i));
  }
  int missing_nodes = 0;
  // The node that another one, or a weight, names.
  const auto place_of = [&](int64_t tree, int64_t id, const char* who) {
    const auto found = places.find({tree, id});
    if (found != places.end()) return found->second;
    constexpr int kMostListed = 8;
    if (missing_nodes++ < kMostListed) problems.Add("{} is node {} of tree {}, which is not there", who, id, tree);
    return int32_t{0};
  };
  trees.nodes.resize(count);
  for (size_t i = 0; i < count; ++i) {
    TreeNode& made = trees.nodes[i];
    const auto mode = kModes.find(modes[i]);
    if (mode == kModes.end()) {
      problems.Add("nodes_modes has '{}'", modes[i]);
      continue;
    }
    made.mode = mode->second;
    made.leaf = modes[i] == "LEAF";
    made.missing_is_true = !missing.empty() && missing[i] != 0;
    made.value = values[i];
    made.feature = features[i];
    if (made.leaf) continue;
    made.yes = place_of(tree_ids[i], yes[i], "a true branch");
    made.no = place_of(tree_ids[i], no[i], "a false branch");
  }
  const auto weight_trees = node.Ints("target_treeids"), weight_nodes = node.Ints("target_nodeids"),
             targets = node.Ints("target_ids");
  const auto weights = Numbers(node, "target_weights");
  CheckSizes(
      {{"target_nodeids", weight_nodes.size()}, {"target_ids", targets.size()}, {"target_weights", weights.size()}},
      weight_trees.size(), "target_treeids", &problems);
  for (size_t i = 0; i < weights.size() && problems.empty(); ++i) {
    TreeNode& leaf =
        trees.nodes[static_cast<size_t>(place_of(weight_trees[i], weight_nodes[i], "the place of a weight"))];
    const int64_t target = std::clamp<int64_t>(targets[i], -1, kMostTargets);
    leaf.weights.emplace_back(static_cast<int32_t>(target), weights[i]);
  }
  CheckNumbers(trees, &problems);
  CheckTreeIsWhole(trees, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return trees;
}

Result<TreeEnsemble> ReadTreesByIndex(const Node& node) {
  NodeProblems problems;
  TreeEnsemble trees;
  trees.targets = node.Int("n_targets", 1);
  const int64_t sum = node.Int("aggregate_function", 1);
  constexpr TreeSum kSums[] = {TreeSum::kAverage, TreeSum::kSum, TreeSum::kMin, TreeSum::kMax};
  if (sum < 0 || sum > 3) {
    problems.Add("aggregate_function is {}, must be 0 to 3", sum);
  } else {
    trees.sum = kSums[sum];
  }
  const auto numbers = [&](const std::string& name) {
    const Tensor* tensor = node.TensorAttribute(name);
    return tensor != nullptr ? ReadDoubles(*tensor) : std::vector<double>();
  };
  const auto splits = numbers("nodes_splits"), modes = numbers("nodes_modes"), weights = numbers("leaf_weights"),
             members = numbers("membership_values");
  const auto features = node.Ints("nodes_featureids"), yes = node.Ints("nodes_truenodeids"),
             no = node.Ints("nodes_falsenodeids"), yes_leaf = node.Ints("nodes_trueleafs"),
             no_leaf = node.Ints("nodes_falseleafs"), missing = node.Ints("nodes_missing_value_tracks_true"),
             roots = node.Ints("tree_roots"), targets = node.Ints("leaf_targetids");
  const size_t count = splits.size();
  if (count == 0 || count + weights.size() > kMostNodes) problems.Add("nodes_splits has {} elements", count);
  if (roots.empty()) problems.Add("tree_roots is empty");
  CheckSizes({{"nodes_modes", modes.size()},
              {"nodes_featureids", features.size()},
              {"nodes_truenodeids", yes.size()},
              {"nodes_falsenodeids", no.size()},
              {"nodes_trueleafs", yes_leaf.size()},
              {"nodes_falseleafs", no_leaf.size()}},
             count, "nodes_splits", &problems);
  CheckSizes({{"leaf_targetids", targets.size()}}, weights.size(), "leaf_weights", &problems);
  if (!missing.empty() && missing.size() != count) {
    problems.Add("nodes_missing_value_tracks_true has {} elements for {} nodes", missing.size(), count);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());

  trees.nodes.resize(count + weights.size());
  size_t member = 0;
  // Leaves come after the nodes.
  const auto place_of = [&](int64_t index, bool leaf) {
    const size_t size = leaf ? weights.size() : count;
    if (index >= 0 && static_cast<size_t>(index) < size)
      return static_cast<int32_t>(index) + (leaf ? static_cast<int32_t>(count) : 0);
    problems.Add("a branch is {} {} of {}", leaf ? "leaf" : "node", index, size);
    return int32_t{0};
  };
  for (size_t i = 0; i < count && problems.empty(); ++i) {
    TreeNode& made = trees.nodes[i];
    if (!(modes[i] >= 0 && modes[i] <= 6)) {
      problems.Add("nodes_modes has {}, must be 0 to 6", modes[i]);
      break;
    }
    made.mode = static_cast<Mode>(modes[i]);
    made.missing_is_true = !missing.empty() && missing[i] != 0;
    made.value = splits[i];
    made.feature = features[i];
    made.yes = place_of(yes[i], yes_leaf[i] != 0);
    made.no = place_of(no[i], no_leaf[i] != 0);
    if (made.mode != Mode::kMember) continue;
    // Sets lie one after the other, each ended by a NaN.
    while (member < members.size() && !std::isnan(members[member])) made.members.push_back(members[member++]);
    if (member++ == members.size()) problems.Add("membership_values has too few sets");
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    TreeNode& leaf = trees.nodes[count + i];
    leaf.leaf = true;
    const int64_t target = std::clamp<int64_t>(targets[i], -1, kMostTargets);
    leaf.weights.emplace_back(static_cast<int32_t>(target), weights[i]);
  }
  for (const int64_t root : roots) trees.roots.push_back(place_of(root, false));
  CheckNumbers(trees, &problems);
  CheckTreeIsWhole(trees, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return trees;
}

}  // namespace tamis
