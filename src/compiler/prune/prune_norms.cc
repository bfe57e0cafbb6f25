#include "src/compiler/prune/prune_norms.h"

#include <algorithm>

namespace tamis {
namespace {

bool IsOverChannels(const Graph& graph, const Node& norm) {
  const int64_t axis = norm.Int("axis", -1);
  const Type& type = graph.value(norm.inputs[0]).type;
  return axis == -1 || (type.has_rank && axis + 1 == static_cast<int64_t>(type.shape.size()));
}

}  // namespace

std::optional<RowNorm> NormBehind(const Graph& fused, NodeId product) {
  const Node& node = fused.node(product);
  if (node.attributes.count("activation") != 0) return std::nullopt;
  for (const NodeId id : fused.NodeIds()) {
    const Node& reader = fused.node(id);
    const bool centred = reader.Is("LayerNormalization");
    if (!centred && !reader.Is("RMSNormalization")) continue;
    if (reader.inputs[0] != node.outputs[0] || !IsOverChannels(fused, reader)) continue;
    return RowNorm{centred, static_cast<double>(reader.Float("epsilon", 1e-5F))};
  }
  return std::nullopt;
}

std::vector<float> SharesBehind(const RowNorm& norm, const Tensor& outputs) {
  const int64_t channels = outputs.dim(-1), rows = outputs.NumElements() / std::max<int64_t>(1, channels);
  std::vector<float> shares(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = outputs.Data<float>() + row * channels;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < channels; ++c) {
      sum += static_cast<double>(x[c]);
      squares += static_cast<double>(x[c]) * static_cast<double>(x[c]);
    }
    const double mean = norm.centred ? sum / static_cast<double>(channels) : 0;
    const double spread = std::max(0.0, squares / static_cast<double>(channels) - mean * mean);
    shares[static_cast<size_t>(row)] = static_cast<float>(1 / (spread + norm.epsilon));
  }
  return shares;
}

}  // namespace tamis
