// One weight layer made 2:4: its convolution groups fitted one by one and put together.
#pragma once

#include <span>
#include <vector>

#include "src/compiler/prune.h"
#include "src/compiler/prune_layers.h"
#include "src/compiler/prune_moments.h"

namespace tamis {

struct LayerFit {
  std::vector<float> weight;      // of the whole layer, in the fused constant's layout
  std::vector<float> bias_delta;  // one for each row; empty if the layer's bias can't move
  double saliency_kept = 1;
  double output_error = 0;
  bool by_magnitude = false;  // though reconstruction was asked for
};

// `moments` has one entry for each convolution group; empty: nothing is known of the inputs, which then count as
// uncorrelated, of unit variance.
Result<LayerFit> FitLayer(const WeightLayer& layer, const Tensor& weight, std::span<const MomentFolds> moments,
                          const PruneOptions& options, ThreadPool& pool);

}  // namespace tamis
