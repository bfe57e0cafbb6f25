// inline_branches: an If whose condition is known becomes the branch that it takes. Exporters write such Ifs for what
// the traced code decided by shapes or flags.
#include "src/ir/region.h"
#include "src/passes/all_passes.h"

namespace tamis {
namespace {

void Inline(Graph& graph, const std::vector<NodeId>& ids) {
  for (NodeId id : ids) {
    if (const auto branch = KnownBranch(graph, graph.node(id))) Inline(graph, InlineRegion(graph, id, *branch, {}));
  }
}

}  // namespace

Status InlineBranches(Graph& graph, const PassOptions&) {
  Inline(graph, graph.NodeIds());
  return graph.Sort();
}

}  // namespace tamis
