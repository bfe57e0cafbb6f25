// Which weights of a network can be 2:4, and where they and their biases are in the unfused graph.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/sparsity/pattern.h"

namespace tamis {

// A place of the unfused graph that takes a change of one number for each output.
struct BiasSlot {
  NodeId node = kNoNode;
  size_t input = 0;  // a constant of N elements, or past the node's inputs (a Conv or Gemm without a bias)
};

// A constant weight of the fused graph with all the nodes that multiply by it: the unit of pruning.
struct WeightLayer {
  std::string initializer;    // its name in the unfused graph; the fused value's where that has no origin
  std::string node;           // the first user's name
  std::string op;             // its operator
  std::string reason;         // why it must stay dense; empty if it can be 2:4
  ValueId weight = kNoValue;  // in the fused graph
  std::vector<NodeId> users;  // in the fused graph, in order
  WeightLayout layout;        // of the whole fused constant
  int64_t groups = 1;         // of a convolution: rows are split into so many, each with inputs of its own
  WeightOrigin origin;
  std::optional<BiasSlot> bias;  // only for a weight with one user
};

struct LayerRules {
  int64_t least_outputs = 16;     // lanes of one vector
  std::vector<std::string> keep;  // initializer or node names that stay dense
};

// Every constant float weight of rank 2 or more that the fused graph multiplies by, in execution order, eligible or
// not. `simplified` is the graph that `fused` was made from.
std::vector<WeightLayer> FindWeightLayers(const Graph& simplified, const Graph& fused, const LayerRules& rules);

// Error (kUser) listing the names of `keep` that are no layer's, with the names there are.
Status CheckKeep(const std::vector<WeightLayer>& layers, const std::vector<std::string>& keep);

// Error (kUser) listing the layers that can be 2:4 and have weights that are NaN or infinite.
Status CheckFinite(const Graph& fused, const std::vector<WeightLayer>& layers);

// The value of this name; kNoValue if there is none.
ValueId FindValue(const Graph& graph, const std::string& name);

}  // namespace tamis
