// drop_expand: an Expand whose reader broadcasts anyway is left out, as of gates that PyTorch expands to the image that
// they scale: the reader would otherwise read as many elements as it writes.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

bool Broadcasts(const Node& node) {
  return node.Is("Add") || node.Is("Sub") || node.Is("Mul") || node.Is("Div") || node.Is("Pow") || node.Is("Where") ||
         node.Is("Min") || node.Is("Max") || node.Is("Equal") || node.Is("Less") || node.Is("LessOrEqual") ||
         node.Is("Greater") || node.Is("GreaterOrEqual") || node.Is("And") || node.Is("Or") || node.Is("Mod");
}

// Whether the result keeps its shape without the Expand: another operand has all of it.
bool KeepsShape(const Graph& graph, const Node& reader, size_t operand, ValueId source) {
  const Shape *from = ShapeOf(graph, source), *to = ShapeOf(graph, reader.outputs[0]);
  if (from == nullptr || to == nullptr || !AlwaysBroadcasts(*from, *to)) return false;
  for (size_t i = 0; i < reader.inputs.size(); ++i) {
    if (i != operand && SameShape(graph, reader.inputs[i], reader.outputs[0])) return true;
  }
  return false;
}

}  // namespace

Status DropExpand(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !Broadcasts(graph.node(id))) continue;
    for (size_t i = 0; i < graph.node(id).inputs.size(); ++i) {
      const Node& reader = graph.node(id);
      const Node* expand = Producer(graph, reader.inputs[i], "Expand");
      if (expand == nullptr || !KeepsShape(graph, reader, i, expand->input(0))) continue;
      options.Matched(graph, expand->outputs[0], "Expand into " + reader.op);
      rewriter.SetInput(id, i, expand->input(0));
    }
  }
  return {};
}

}  // namespace tamis
