// Pruned weights into the fused graph and, through their origin, into the unfused one.
#pragma once

#include <span>

#include "src/compiler/prune/prune_layers.h"

namespace tamis {

// Replaces the layer's weight (the fused constant's elements in its own layout) and adds `bias_delta` (one number for
// each row, or empty) to its bias in both graphs. Constants are replaced, never written to: other graphs share them. A
// bias that other nodes read is copied first; one that is missing is made.
Status WriteBack(const WeightLayer& layer, std::span<const float> weight, std::span<const float> bias_delta,
                 Graph& simplified, Graph& fused);

}  // namespace tamis
