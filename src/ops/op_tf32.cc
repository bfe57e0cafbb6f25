#include "src/ops/op_tf32.h"

namespace tamis {
namespace {

bool Multiplies(const Node& node) {
  return node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv") || node.IsTamis("Attention") || node.Is("MatMul");
}

}  // namespace

bool AllowsTf32(const Node& node) {
  return node.Int("tf32", 0) != 0;
}

int64_t AllowTf32(Graph& graph) {
  int64_t marked = 0;
  for (const NodeId id : graph.NodeIds()) {
    Node& node = graph.node(id);
    for (Region& region : node.regions) marked += AllowTf32(*region.body);
    if (!Multiplies(node) || graph.value(node.inputs[0]).type.dtype != DType::kFloat32) continue;
    node.attributes["tf32"] = int64_t{1};
    ++marked;
  }
  return marked;
}

}  // namespace tamis
