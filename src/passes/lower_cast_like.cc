// lower_cast_like: CastLike becomes a Cast where the type it takes over is known, as it nearly always is. So constants
// that functions of the operator set cast to their operand's type fold, and casts to the type a value has already go.
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {

Status LowerCastLike(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || !node.Is("CastLike")) continue;
    const DType to = DTypeOf(graph, node.input(1));
    if (to == DType::kUndefined) continue;
    Node cast = MakeNode("Cast", "", {node.input(0)}, node.outputs);
    cast.attributes = node.attributes;  // saturate and round_mode mean the same
    cast.attributes["to"] = static_cast<int64_t>(to);
    options.Matched(graph, node.outputs[0], "CastLike as Cast");
    rewriter.Replace(id, std::move(cast));
  }
  return {};
}

}  // namespace tamis
