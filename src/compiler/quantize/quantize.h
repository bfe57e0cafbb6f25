// A float network as an int8 one, from unlabelled samples: DequantizeLinear and QuantizeLinear around its products, as
// every runtime reads them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/calibrate/calibrate.h"
#include "src/compiler/prune/prune.h"
#include "src/engine/value_record.h"
#include "src/ir/graph.h"
#include "src/quantize/observer.h"
#include "tamis/session.h"
#include "tamis/status.h"

namespace tamis {

// Of DequantizeLinear with a scale for each index of an axis.
inline constexpr int64_t kOldestQuantizedOpset = 13;

// Of "u8" or "s8" whether activations are signed; anything else is an error naming these.
Result<bool> ParseActivations(const std::string& text);

struct QuantizeOptions {
  ObserverOptions observer;
  bool signed_activations = false;  // symmetric s8 instead of u8
  bool clip_weights = true;         // scales of least squared error instead of the largest weight's
  bool descend = false;             // codes that make up for one another (RoundToCodes), not the nearest: takes longer
  bool correct_bias = true;         // the mean error of each output, by the inputs' means, goes into the bias
  bool balance = true;              // activations against the weights that read them, channel by channel
  std::vector<std::string> keep;    // weight initializers or node names that stay float
  int threads = 0;
  std::function<void(int done, int total, const std::string& what)> progress;
  std::function<bool()> cancelled;  // asked between batches; true ends with an error
  // By the value's name, if it is balanced with its factors: what is here is used instead of being collected, what is
  // not is added. For one network that is quantised in several ways. May be null.
  std::map<std::string, TensorStatistics>* statistics = nullptr;
};

// One for each constant weight that a product multiplies by.
struct QuantizedLayer {
  std::string name, node, op;  // of the weight initializer and its node
  bool quantized = false;      // to the report's type
  std::string reason;          // why it stayed float
  double weight_error = 0;     // |W - W^|^2 / |W|^2
  bool bias_moved = false;
};

// An activation between products.
struct QuantizedTensor {
  std::string name;
  float low = 0, high = 0;  // as seen
  CodeMap map;
  double clipped = 0;  // share of the values beyond the codes
  double growth = 0;   // how much the second half of the samples widened the range, as a share of it
  ValueRecord record;  // its distribution, as an engine keeps it
};

struct QuantizeReport {
  std::string type = "int8";  // of weights
  std::vector<QuantizedLayer> layers;
  std::vector<QuantizedTensor> tensors;
  std::vector<std::string> balanced;  // activations whose channels took a factor each
  std::vector<std::string> notes;     // of the walk over the layers, if there was one: fewer samples, fallbacks
  int64_t samples = 0;
  bool settled = false;  // more samples would hardly move the ranges
  std::string verdict;   // that in a sentence
  int64_t Quantized() const;
};

// Quantises `simplified` (after SimplifyPasses, f32, operator set 13 or newer) in place; on error it is as it was.
// Weights are s8 with a scale an output, biases int32; activations have one scale a tensor. Convolutions, Gemm and
// MatMul by constant matrices become int8, and so do sums, pools and concatenations between convolutions. Errors: no
// samples, values that are not finite, inputs that are all zero, a `keep` name that is no layer.
Result<QuantizeReport> Quantize(Graph& simplified, std::span<const NamedTensors> batches,
                                const QuantizeOptions& options);

// Adds to `options.statistics`, which has those of the network's activations, what Quantize would collect of balanced
// ones for each layer that is int8 alone: one run of the samples instead of one a layer.
Status CollectForLayersAlone(const Graph& simplified, std::span<const NamedTensors> batches,
                             const QuantizeOptions& options);

// Prunes and quantises in one walk over the layers: each is made 2:4, its kept weights are rounded to codes that make
// up for both, and the next one is fitted to what the network gives with all of that before it. Activations are
// balanced before the walk, while they and the weights belong together; ranges are those of the network after it. Names
// of `prune.keep` stay dense, those of `quantize.keep` float. Errors as of Prune and Quantize.
struct PrunedAndQuantized {
  PruneReport prune;
  QuantizeReport quantize;
};
Result<PrunedAndQuantized> PruneAndQuantize(Graph& simplified, std::span<const NamedTensors> batches,
                                            const PruneOptions& prune, const QuantizeOptions& quantize,
                                            std::shared_ptr<ThreadPool> pool);

// The weight that a fused product multiplies by, in float or between codes, as the network that was not quantised calls
// it; empty for other nodes.
std::string WeightBehind(const Graph& fused, const Node& node);

// The name of the weight from which Quantize made this constant of codes, as its graph or the fused one calls it.
std::string NameBeforeQuantize(const std::string& name);

}  // namespace tamis
