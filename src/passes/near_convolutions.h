// Which nodes stand near a convolution, so that they gain from running in its order, channels last.
#pragma once

#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// By node id: whether a convolution, or a Transpose to or from channels last, is reached from the node over operators
// that run in either order, all the way up or all the way down. The graph must be sorted.
std::vector<bool> NearConvolutions(const Graph& graph);

}  // namespace tamis
