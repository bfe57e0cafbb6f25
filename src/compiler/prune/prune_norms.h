// How much of an error in a product's outputs the normalisation behind it lets through.
#pragma once

#include <optional>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

// Divides each row of channels by their root mean square, about their mean if `centred`.
struct RowNorm {
  bool centred = true;
  double epsilon = 1e-5;
};

// The LayerNormalization or RMSNormalization that reads the outputs of a product that has no activation, as the last
// layer of a transformer's block has none; the first if several do.
std::optional<RowNorm> NormBehind(const Graph& fused, NodeId product);

// 1 over what the norm divides each row's squares by: rows of large outputs, as a few tokens of every text are, would
// else decide what the layer is fitted to, and the norm makes them no larger than the others.
std::vector<float> SharesBehind(const RowNorm& norm, const Tensor& outputs);

}  // namespace tamis
