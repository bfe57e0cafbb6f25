// TreeEnsemble: what the leaves that a row comes to say, added up; nodes and leaves by index. Transforms of the sums
// are written out as operators of ONNX when a file is imported.
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_trees.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const int64_t transform = context.node().Int("post_transform", 0);
  if (transform != 0) return context.Error(fmt::format("post_transform is {}, must be 0 here", transform));
  return InferTrees(context, DType::kUndefined);
}

std::vector<OpTestCase> Cases() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<uint8_t> modes = {0, 6, 4};
  const std::vector<float> splits = {0.5F, 0, 1}, weights = {1, 10, 100, 1000}, members = {-1, 1, 0, nan};
  const std::map<std::string, Attribute> attributes = {
      {"n_targets", int64_t{2}},
      {"tree_roots", Dims{0, 2}},
      {"nodes_splits", Tensor::Of<float>(DType::kFloat32, {3}, splits)},
      {"nodes_modes", Tensor::Of<uint8_t>(DType::kUInt8, {3}, modes)},
      {"nodes_featureids", Dims{0, 1, 0}},
      {"nodes_truenodeids", Dims{1, 0, 2}},
      {"nodes_falsenodeids", Dims{3, 1, 3}},
      {"nodes_trueleafs", Dims{0, 1, 1}},
      {"nodes_falseleafs", Dims{1, 1, 1}},
      {"nodes_missing_value_tracks_true", Dims{1, 1, 0}},
      {"leaf_targetids", Dims{0, 1, 0, 1}},
      {"leaf_weights", Tensor::Of<float>(DType::kFloat32, {4}, weights)},
      {"membership_values", Tensor::Of<float>(DType::kFloat32, {4}, members)}};
  const std::vector<float> x = {0, 1, 0, -1, 1, 0, 0.5F, 2, nan, nan, 1, nan, 0.25F, 0};
  return {{{Tensor::Of<float>(DType::kFloat32, {7, 2}, x)}, attributes}};
}

}  // namespace

extern const OpDef op_tree_ensemble = {.name = "TreeEnsemble",
                                       .domain = kMlDomain,
                                       .since_opset = 1,
                                       .infer = Infer,
                                       .eval = EvalTrees,
                                       .test_cases = Cases};

}  // namespace tamis
