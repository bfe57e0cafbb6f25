// inline_branches: an If whose condition is known becomes the branch that it takes. Exporters write such Ifs for what
// the traced code decided by shapes or flags.
#include <optional>

#include "src/ir/region.h"
#include "src/passes/all_passes.h"

namespace tamis {
namespace {

void Inline(Graph& graph, const PassOptions& options, const std::vector<NodeId>& ids, std::optional<FreeNames>* names) {
  for (NodeId id : ids) {
    const auto branch = KnownBranch(graph, graph.node(id));
    if (!branch) continue;
    options.Edited();
    if (!*names) names->emplace(graph);
    Inline(graph, options, InlineRegion(graph, id, *branch, {}, &**names), names);
  }
}

}  // namespace

Status InlineBranches(Graph& graph, const PassOptions& options) {
  std::optional<FreeNames> names;
  Inline(graph, options, graph.NodeIds(), &names);
  return {};
}

}  // namespace tamis
