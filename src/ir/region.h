// Rewrites of nodes with regions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// The region that an If runs, where its condition is known.
std::optional<size_t> KnownBranch(const Graph& graph, const Node& node);

// Names that no value of a graph has, at one pass over the values; whoever adds values under other names meanwhile
// chooses them so that they don't collide.
class FreeNames {
 public:
  explicit FreeNames(const Graph& graph);
  // `name` itself if it is free, else with a number. It is taken from then on.
  std::string Like(const std::string& name);

 private:
  std::unordered_map<std::string, int> next_;  // by taken name: the number to try first
};

// Puts the body of a node's region in the place of the node: what the body computes becomes part of `graph`, and the
// node's outputs are what the body's were. `inputs` stand for the body's explicit inputs, captures for the rest. The
// new nodes, in order, are appended: call Sort() once all is rewritten. The body is used up. `names` are those of
// `graph`; one object serves all nodes that are inlined there.
std::vector<NodeId> InlineRegion(Graph& graph, NodeId node, size_t region, std::span<const ValueId> inputs,
                                 FreeNames* names);

// Captured constants become constants of the body (elements shared), so that shape rules and folding see them there.
void ShareConstants(const Graph& graph, Region& region);

}  // namespace tamis
