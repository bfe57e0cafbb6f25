// One weight layer made 2:4, rounded to codes, or both: its convolution groups fitted one by one and put together.
#pragma once

#include <vector>

#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_layers.h"
#include "src/compiler/prune/prune_moments.h"

namespace tamis {

// What is done to a layer.
struct LayerTask {
  bool prune = false, round = false;
};

struct LayerFit {
  std::vector<float> weight;      // of the whole layer, in the fused constant's layout
  std::vector<float> bias_delta;  // one for each row; empty if the layer's bias can't move
  std::vector<float> scales;      // one for each row, if it was rounded
  double saliency_kept = 1;
  double output_error = 0;
  double rounding_square = 0, weight_square = 0;  // sums over the layer: of what rounding changed, and of what it found
};

// `moments` has one entry for each convolution group; empty: nothing is known of the inputs, which then count as
// uncorrelated, of unit variance, and nothing is rounded. They are used up, a group at a time.
Result<LayerFit> FitLayer(const WeightLayer& layer, const Tensor& weight, std::vector<MomentFolds> moments,
                          LayerTask task, const PruneOptions& options, ThreadPool& pool);

}  // namespace tamis
