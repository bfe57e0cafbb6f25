// simplify_shapes: frees Reshape and Expand from the nodes that compute their shape, where the shape is known
// symbolically and a constant can say the same: fixed dimensions as they are, 0 for one that stays, -1 for one that
// follows from the others. Squeeze, Unsqueeze and Flatten of known shape are left alone; they read no computed shape.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// An Expand reads 1 where the operand's own dimension stays.
std::optional<std::vector<int64_t>> ExpandTarget(const Shape& from, const Shape& to) {
  std::vector<int64_t> target;
  for (size_t i = 0; i < to.size(); ++i) {
    const size_t added = to.size() - std::min(from.size(), to.size());
    if (const auto constant = to[i].Constant()) {
      target.push_back(*constant);
    } else if (i >= added && from[i - added] == to[i]) {
      target.push_back(1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

}  // namespace

Status SimplifyShapes(Graph& graph, const PassOptions&) {
  Rewriter rewriter(graph);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed) continue;
    const Node& node = graph.node(id);
    const bool reshape = node.Is("Reshape");
    if ((!reshape && !node.Is("Expand")) || node.inputs.size() != 2 || graph.value(node.inputs[1]).IsConstant())
      continue;
    const Shape* from = ShapeOf(graph, node.inputs[0]);
    const Shape* to = ShapeOf(graph, node.outputs[0]);
    if (from == nullptr || to == nullptr || node.Int("allowzero", 0) != 0) continue;
    const auto target = reshape ? ReshapeTarget(*from, *to) : ExpandTarget(*from, *to);
    if (!target) continue;
    const std::string name = graph.value(node.inputs[1]).name;
    rewriter.SetInput(id, 1, rewriter.AddConstant(name + "_fixed", Tensor::Int64s(*target)));
  }
  graph.Compact();
  return {};
}

}  // namespace tamis
