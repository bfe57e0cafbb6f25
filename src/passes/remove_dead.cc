// remove_dead: drops nodes whose results nobody reads, and values nobody mentions.
#include "src/passes/all_passes.h"

namespace tamis {

Status RemoveDead(Graph& graph, const PassOptions&) {
  graph.Compact();
  return {};
}

}  // namespace tamis
