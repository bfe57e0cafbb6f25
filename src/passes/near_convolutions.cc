#include "src/passes/near_convolutions.h"

#include <set>
#include <string_view>

#include "src/ops/op_is_elementwise.h"
#include "src/passes/channels_last.h"

namespace tamis {
namespace {

bool IsSource(const Node& node) {
  if (node.op.find("Conv") != std::string::npos || node.op.starts_with("ChannelsLast")) return true;
  if (!node.Is("Transpose")) return false;
  const std::vector<int64_t> perm = node.Ints("perm");
  const auto rank = static_cast<int64_t>(perm.size());
  return rank > 3 && (perm == ToChannelsLast(rank) || perm == FromChannelsLast(rank));
}

bool RunsInEitherOrder(const Node& node) {
  static const std::set<std::string_view> kOperators = {"MaxPool",
                                                        "AveragePool",
                                                        "GlobalAveragePool",
                                                        "GlobalMaxPool",
                                                        "BatchNormalization",
                                                        "GroupNormalization",
                                                        "InstanceNormalization",
                                                        "Concat",
                                                        "Pad",
                                                        "Resize",
                                                        "Softmax",
                                                        "LogSoftmax",
                                                        "Split",
                                                        "Slice",
                                                        "ReduceMean",
                                                        "Reshape"};
  return IsElementwise(node) || (node.domain.empty() && kOperators.count(node.op) != 0);
}

}  // namespace

std::vector<bool> NearConvolutions(const Graph& graph) {
  const std::vector<NodeId> ids = graph.NodeIds();
  NodeId last = kNoNode;
  for (NodeId id : ids) last = std::max(last, id);
  std::vector<bool> below(static_cast<size_t>(last + 1)), above(below.size()), read(graph.NumValues());
  for (NodeId id : ids) {
    const Node& node = graph.node(id);
    bool reached = IsSource(node);
    if (!reached && RunsInEitherOrder(node)) {
      for (ValueId input : node.inputs) {
        const NodeId producer = input == kNoValue ? kNoNode : graph.value(input).producer;
        reached = reached || (producer != kNoNode && below[static_cast<size_t>(producer)]);
      }
    }
    below[static_cast<size_t>(id)] = reached;
  }
  for (size_t i = ids.size(); i-- > 0;) {
    const Node& node = graph.node(ids[i]);
    bool reached = IsSource(node);
    for (ValueId output : node.outputs) {
      if (output != kNoValue && RunsInEitherOrder(node)) reached = reached || read[static_cast<size_t>(output)];
    }
    above[static_cast<size_t>(ids[i])] = reached;
    if (!reached) continue;
    for (ValueId input : node.inputs) {
      if (input != kNoValue) read[static_cast<size_t>(input)] = true;
    }
  }
  for (size_t i = 0; i < below.size(); ++i) below[i] = below[i] || above[i];
  return below;
}

}  // namespace tamis
