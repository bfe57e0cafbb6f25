// simplify_shapes: frees Reshape and Expand from the nodes that compute their shape, where the shape is known
// symbolically and a constant can say the same: fixed dimensions as they are, 0 for one that stays, -1 for one that
// follows from the others. Squeeze, Unsqueeze and Flatten of known shape are left alone; they read no computed shape.
// A lookup of all elements in their order (strided_view.h) becomes the Reshape that it is, or nothing.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/strided_view.h"

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

void ReplaceLookup(NodeId id, ValueId source, Rewriter* rewriter) {
  const Graph& graph = rewriter->graph();
  const Node& node = graph.node(id);
  const ValueId output = node.outputs[0];
  if (SameShape(graph, source, output) && rewriter->ReplaceUses(output, source)) return;
  const Shape *from = ShapeOf(graph, source), *to = ShapeOf(graph, output);
  const auto target = from == nullptr ? std::nullopt : ReshapeTarget(*from, *to);
  if (!target) return;
  Node reshape;
  reshape.op = "Reshape";
  reshape.name = node.name;
  reshape.outputs = {output};
  reshape.inputs = {source, rewriter->AddConstant(graph.value(output).name + "_shape", Tensor::Int64s(*target))};
  rewriter->Replace(id, std::move(reshape));
}

}  // namespace

Status SimplifyShapes(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed) continue;
    const Node& node = graph.node(id);
    if (const auto source = ViewedInOrder(graph, node)) {
      ReplaceLookup(id, *source, &rewriter);
      continue;
    }
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
  return {};
}

}  // namespace tamis
