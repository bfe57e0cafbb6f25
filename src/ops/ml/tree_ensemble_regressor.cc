// TreeEnsembleRegressor: what the leaves that a row comes to say, added up. Transforms of the sums are written out as
// operators of ONNX when a file is imported, and so is TreeEnsembleClassifier, whose sums these are.
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_trees.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const std::string transform = context.node().String("post_transform", "NONE");
  if (transform != "NONE") return context.Error(fmt::format("post_transform is '{}', must be NONE here", transform));
  return InferTrees(context, DType::kFloat32);
}

// Two trees that ask in every way; the second has one leaf only.
std::vector<OpTestCase> Cases() {
  const std::vector<std::string> modes = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ",
                                          "BRANCH_NEQ", "LEAF",      "LEAF",       "LEAF",      "LEAF",
                                          "LEAF",       "LEAF",      "LEAF",       "LEAF"};
  std::map<std::string, Attribute> attributes = {
      {"nodes_treeids", Dims{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
      {"nodes_nodeids", Dims{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0}},
      {"nodes_featureids", Dims{0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"nodes_modes", modes},
      {"nodes_values", std::vector<float>{0, 0.5F, -0.25F, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"nodes_truenodeids", Dims{1, 3, 5, 7, 9, 11, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"nodes_falsenodeids", Dims{2, 4, 6, 8, 10, 12, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"nodes_missing_value_tracks_true", Dims{0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"target_treeids", Dims{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}},
      {"target_nodeids", Dims{6, 7, 8, 9, 10, 11, 12, 12, 0, 0}},
      {"target_ids", Dims{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}},
      {"target_weights", std::vector<float>{1, 2, 4, 8, 16, 32, 64, 128, 0.5F, -0.25F}},
      {"n_targets", int64_t{2}},
      {"base_values", std::vector<float>{256, 512}}};
  Tensor x = SampleFloats(1, {11, 3});
  x.Data<float>()[1] = 1;
  x.Data<float>()[5] = 0;
  for (const int64_t i : {7, 9, 14, 15}) x.Data<float>()[i] = std::numeric_limits<float>::quiet_NaN();
  std::vector<OpTestCase> cases;
  for (const char* sum : {"SUM", "AVERAGE", "MIN", "MAX"}) {
    attributes["aggregate_function"] = std::string(sum);
    cases.push_back({{x}, attributes});
  }
  cases.push_back({{SampleFloats(2, {3})}, attributes});
  return cases;
}

}  // namespace

extern const OpDef op_tree_ensemble_regressor = {.name = "TreeEnsembleRegressor",
                                                 .domain = kMlDomain,
                                                 .since_opset = 1,
                                                 .infer = Infer,
                                                 .eval = EvalTrees,
                                                 .test_cases = Cases};

}  // namespace tamis
