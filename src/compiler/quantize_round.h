// Weights that are about to be quantised, rounded layer after layer so that each makes up for the rounding before it.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

struct RoundOptions {
  std::vector<std::string> keep = {};  // weight initializers that are not rounded
  bool clip = true;                    // as of QuantizeRows
  bool move_bias = true;               // biases may take what rounding does to the outputs' means
  int threads = 0;
  std::function<void(int done, int total, const std::string& layer)> progress = {};
  std::function<bool()> cancelled = {};  // asked before each layer
};

// A weight that holds multiples of its rows' scales now.
struct RoundedLayer {
  std::vector<float> scales;  // one for each output
  double weight_error = 0;    // |W - W^|^2 / |W|^2
};

// Rounds the weights of `simplified` in place, in execution order: each is fitted (RoundToCodes) to what its layer
// gives in the network as it came, on the inputs that the rounded layers before it give. Zeros stay, so 2:4 weights
// remain 2:4. Depthwise and very wide layers, weights of fewer than four input channels and those that several nodes
// read are left alone, for QuantizeRows to round. Returns what was rounded, by initializer.
Result<std::map<std::string, RoundedLayer>> RoundInOrder(Graph& simplified, std::span<const NamedTensors> batches,
                                                         const RoundOptions& options);

}  // namespace tamis
