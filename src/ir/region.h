// Rewrites of nodes with regions.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// The region that an If runs, where its condition is known.
std::optional<size_t> KnownBranch(const Graph& graph, const Node& node);

// Puts the body of a node's region in the place of the node: what the body computes becomes part of `graph`, and the
// node's outputs are what the body's were. `inputs` stand for the body's explicit inputs, captures for the rest. The
// new nodes, in order, are appended: call Sort() once all is rewritten. The body is used up.
std::vector<NodeId> InlineRegion(Graph& graph, NodeId node, size_t region, std::span<const ValueId> inputs);

// Captured constants become constants of the body (elements shared), so that shape rules and folding see them there.
void ShareConstants(const Graph& graph, Region& region);

}  // namespace tamis
