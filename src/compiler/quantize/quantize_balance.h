// Balancing activations against the weights of the products that read them, in a network that is about to be
// quantised.
#pragma once

#include <map>
#include <vector>

#include "src/compiler/calibrate/calibrate.h"
#include "src/ir/graph.h"

namespace tamis {

// An activation with its channels along the last axis, and the MatMul and Gemm nodes that read it as codes.
struct BalanceSite {
  ValueId activation = kNoValue;
  std::vector<NodeId> products;
};

// Multiplies the activation of every site that it pays for by a constant for each channel, and divides the weights of
// its products by the same: the network computes what it did. A LayerNormalization that nothing else reads takes the
// factors into its scale and bias; elsewhere a Mul is inserted. Sites whose activation is an elementwise function of
// one product's output are left alone, because the product writes their codes itself, and so are those behind pools,
// which work on codes. Returns the names of the
// activations that were balanced. Node and value ids change.
Result<std::vector<std::string>> BalanceActivations(Graph& graph, const std::vector<BalanceSite>& sites,
                                                    const std::map<ValueId, TensorStatistics>& statistics);

}  // namespace tamis
