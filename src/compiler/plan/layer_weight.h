// The weights of a fused graph's products, and what the unfused network calls them.
#pragma once

#include <string>

#include "src/ir/graph.h"

namespace tamis {

// Input index 1 of a Linear or ChannelsLastConv with a constant weight; kNoValue for any other node.
ValueId LayerWeight(const Graph& graph, const Node& node);
// The unfused initializer behind a weight, or the weight's own name.
std::string WeightName(const Graph& graph, ValueId weight);

}  // namespace tamis
