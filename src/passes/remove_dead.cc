// remove_dead: drops nodes whose results nobody reads, and values nobody mentions.
#include "src/passes/all_passes.h"

namespace tamis {

Status RemoveDead(Graph& graph, const PassOptions& options) {
  const size_t nodes = graph.NumNodeSlots(), values = graph.NumValues();
  graph.Compact();
  if (graph.NumNodeSlots() != nodes || graph.NumValues() != values) options.Edited();
  return {};
}

}  // namespace tamis
