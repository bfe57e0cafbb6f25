// Balancing activations against the weights of the products that read them, in a network that is about to be
// quantised.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/compiler/calibrate/calibrate.h"
#include "src/ir/graph.h"

namespace tamis {

// An activation with its channels along the last axis, and the MatMul and Gemm nodes that read it as codes.
struct BalanceSite {
  ValueId activation = kNoValue;
  std::vector<NodeId> products;
};

struct BalancedActivation {
  std::string name;
  std::string scaled;  // the value that products read now: the same, or what a Mul makes of it
  std::vector<float> factors;
};

// What to multiply the activation's channels by; empty where it does not pay. Sites whose activation is an elementwise
// function of one product's output are left alone, because the product writes their codes itself, and so are those
// behind pools, which work on codes.
std::vector<float> BalanceFactors(const Graph& graph, const BalanceSite& site, const TensorStatistics& statistics);

// Multiplies the activation of every site that it pays for by a constant for each channel, and divides the weights of
// its products by the same: the network computes what it did. A LayerNormalization that nothing else reads takes the
// factors into its scale and bias; elsewhere a Mul is inserted. Node and value ids change.
Result<std::vector<BalancedActivation>> BalanceActivations(Graph& graph, const std::vector<BalanceSite>& sites,
                                                           const std::map<ValueId, TensorStatistics>& statistics);

}  // namespace tamis
