// Pruning a network, to 2:4 or by another rule, layer after layer in execution order, from unlabelled samples.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "src/base/thread_pool.h"
#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/sparsity/reconstruct.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// Weights that leave the walk as multiples of a scale for each output, -127 to 127 times it: int8 codes.
struct RoundingOptions {
  std::set<std::string> layers;  // initializers
  bool clip = true;              // as of QuantizeRows
  bool move_bias = true;         // of layers that are not pruned; those of pruned ones move
};

// What one walk over the network does to its layers: some become 2:4, some are rounded, some both.
struct PruneOptions {
  // kGradient is kReconstruct with samples that count by how steep their loss is (loss_gradient.h).
  enum class Method { kMagnitude, kActivation, kReconstruct, kGradient };
  Method method = Method::kReconstruct;
  // For kGradient: a class for each sample of the batches, in their order (and perhaps more, of samples left out).
  std::vector<int64_t> labels;
  bool prune = true;  // false: layers are rounded only
  RoundingOptions rounding;
  std::vector<std::string> keep;            // weight initializers or node names that stay dense
  std::vector<std::string> paired;          // weight initializers that become paired 2:4 whatever `reconstruct` says
  ReconstructOptions reconstruct;           // free_bias is set for each layer
  int64_t batch = 32;                       // samples of a batch after padding was trimmed
  size_t memory_bytes = size_t{256} << 20;  // of live values; where there are more, they lie on disk
  size_t disk_bytes = 0;  // of live values; with more, fewer samples are used. 0: half of what the disk has free
  uint64_t seed = 1;      // of the choice of rows in layers with very many
  std::function<void(int done, int total, const std::string& layer)> progress;
  std::function<bool()> cancelled;  // asked before each layer; true ends the pruning with an error
};
// Whether masks and weights are fitted to the layers' outputs.
bool FitsOutputs(PruneOptions::Method method);
// "magnitude", "activation", "reconstruct" or "gradient"; anything else is an error naming these.
Result<PruneOptions::Method> ParsePruneMethod(const std::string& text);

// One line for each constant weight of the network.
struct LayerReport {
  std::string name;  // of the weight initializer
  std::string node;  // of its first node
  std::string op;
  std::string pattern;       // "dense", or the rule's name: "2:4"
  std::string reason;        // why it stayed dense; empty if it did not
  int64_t n = 0, k = 0;      // outputs and weights of each (of all parts that a fused graph split it into)
  double saliency_kept = 1;  // share of the squared magnitude
  double output_error = 0;   // |Y - Y^|^2 / |Y|^2 before the activation, about the means where a bias could move
  bool bias_moved = false;
};
LayerRecord ToRecord(const LayerReport& report);

// A weight that holds multiples of its rows' scales now.
struct RoundedLayer {
  std::vector<float> scales;  // one for each output
  double weight_error = 0;    // |W - W^|^2 / |W|^2, with W as pruning alone left it
};

struct PruneReport {
  std::vector<LayerReport> layers;
  std::map<std::string, RoundedLayer> rounded;  // by initializer
  std::vector<std::string> notes;  // what the user should know: fewer samples, fallbacks; one sentence each
  int64_t samples = 0;
  int64_t Pruned() const;  // layers that did not stay dense
};

// Prunes every eligible layer of `simplified` (after SimplifyPasses; f32 weights) and moves biases along. It is fused
// inside; each layer is fitted to the dense network's outputs on the inputs that the layers before it, already pruned,
// give. Layers of `rounding` are rounded when they have been pruned, before the next one is looked at: codes are fitted
// to the dense network's outputs too, so they make up for what pruning and rounding left, here and in layers before.
// Depthwise and very wide layers and weights of fewer than four input channels are not rounded. `batches` are inputs by
// name. Errors: no samples (kUser) unless by magnitude, where the batches may be empty (nothing is rounded then) and
// errors are those of unit inputs; for kGradient labels that are too few or no classes, and no output of class scores;
// a `keep` name that is no layer; what a node could not compute. On error `simplified` is left as it was.
Result<PruneReport> Prune(Graph& simplified, std::span<const NamedTensors> batches, const PruneOptions& options,
                          std::shared_ptr<ThreadPool> pool);
// The same on a fused graph that the caller made of `simplified`. `fused` gets the pruned constants too.
Result<PruneReport> PruneFused(Graph& simplified, Graph& fused, std::span<const NamedTensors> batches,
                               const PruneOptions& options, std::shared_ptr<ThreadPool> pool);

}  // namespace tamis
