#include "src/kernels/reference_case.h"
#include "src/ops/ml/op_ml.h"

namespace tamis::kernel_test {
namespace {

// Whole trees of this depth that compare random features with random values, a weight for every target at each leaf.
std::map<std::string, Attribute> RandomTrees(int trees, int depth, int64_t features, int64_t targets, uint64_t seed) {
  const int64_t inner = (int64_t{1} << depth) - 1, all = 2 * inner + 1;
  const Tensor values = RandomTensor(DType::kFloat32, {trees * all}, seed);
  const Tensor picks = RandomIndices(DType::kInt64, {trees * all}, seed + 1, 0, features - 1);
  const Tensor weights = RandomTensor(DType::kFloat32, {trees * (inner + 1) * targets}, seed + 2);
  std::vector<int64_t> tree_ids, ids, yes, no, weight_trees, weight_ids, target_ids;
  std::vector<std::string> modes;
  for (int64_t tree = 0; tree < trees; ++tree) {
    for (int64_t id = 0; id < all; ++id) {
      tree_ids.push_back(tree);
      ids.push_back(id);
      const bool leaf = id >= inner;
      yes.push_back(leaf ? 0 : 2 * id + 1);
      no.push_back(leaf ? 0 : 2 * id + 2);
      modes.emplace_back(leaf ? "LEAF" : "BRANCH_LEQ");
      for (int64_t target = 0; leaf && target < targets; ++target) {
        weight_trees.push_back(tree);
        weight_ids.push_back(id);
        target_ids.push_back(target);
      }
    }
  }
  const auto floats = [](const Tensor& t) {
    return std::vector<float>(t.Data<float>(), t.Data<float>() + t.NumElements());
  };
  return {{"nodes_treeids", tree_ids},
          {"nodes_nodeids", ids},
          {"nodes_featureids", picks.ToInt64s()},
          {"nodes_modes", modes},
          {"nodes_values", floats(values)},
          {"nodes_truenodeids", yes},
          {"nodes_falsenodeids", no},
          {"target_treeids", weight_trees},
          {"target_nodeids", weight_ids},
          {"target_ids", target_ids},
          {"target_weights", floats(weights)},
          {"n_targets", targets}};
}

// What a walk from node to node gives, independently of how the operator keeps its trees.
std::vector<double> Walked(const std::map<std::string, Attribute>& attributes, const Tensor& x, int64_t targets) {
  const auto ints = [&](const char* name) { return std::get<std::vector<int64_t>>(attributes.at(name)); };
  const auto floats = [&](const char* name) { return std::get<std::vector<float>>(attributes.at(name)); };
  const auto trees = ints("nodes_treeids"), ids = ints("nodes_nodeids"), features = ints("nodes_featureids"),
             yes = ints("nodes_truenodeids"), no = ints("nodes_falsenodeids"), weight_trees = ints("target_treeids"),
             weight_ids = ints("target_nodeids"), target_ids = ints("target_ids");
  const auto values = floats("nodes_values"), weights = floats("target_weights");
  const std::vector<double> rows = Doubles(x);
  std::vector<double> sums(static_cast<size_t>(x.dim(0) * targets));
  for (int64_t row = 0; row < x.dim(0); ++row) {
    for (size_t root = 0; root < ids.size(); ++root) {
      if (ids[root] != 0) continue;
      size_t at = root;
      while (yes[at] != 0) {
        const bool less = rows[static_cast<size_t>(row * x.dim(1) + features[at])] <= static_cast<double>(values[at]);
        at = root + static_cast<size_t>(less ? yes[at] : no[at]);
      }
      for (size_t w = 0; w < weights.size(); ++w) {
        if (weight_trees[w] != trees[root] || weight_ids[w] != ids[at]) continue;
        sums[static_cast<size_t>(row * targets + target_ids[w])] += static_cast<double>(weights[w]);
      }
    }
  }
  return sums;
}

TEST(TreeKernels, MatchTheReferenceAndAPlainWalk) {
  std::vector<KernelCase> cases;
  uint64_t seed = 40;
  for (const int64_t rows : {1, 7, 8, 300}) {
    for (const int64_t targets : {1, 3}) {
      const auto attributes = RandomTrees(9, 3, 5, targets, seed += 3);
      for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64}) {
        const Tensor x = Converted(RandomTensor(DType::kFloat32, {rows, 5}, ++seed), dtype);
        cases.push_back(ReferenceCase({"TreeEnsembleRegressor", std::string(kMlDomain), attributes}, {x}));
        const auto walked = Walked(attributes, x, targets);
        for (size_t i = 0; i < walked.size(); ++i) {
          ASSERT_NEAR(cases.back().expected[0][i], walked[i], 1e-5) << cases.back().name << " seed " << seed;
        }
      }
    }
  }
  for (const char* op : {"TreeEnsembleRegressor", "TreeEnsemble"}) {
    for (const OpTestCase& c : FindOp(op, kMlDomain)->test_cases()) {
      cases.push_back(ReferenceCase({op, std::string(kMlDomain), c.attributes}, c.inputs));
    }
  }
  CheckFamily("trees", cases);
}

}  // namespace
}  // namespace tamis::kernel_test
