// Masks by magnitude: the baseline that every better method has to beat.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/sparsity/pattern.h"

namespace tamis {

// One byte an element of the weight, 1 = kept.
using Mask = std::vector<uint8_t>;

// Keeps the two largest magnitudes of every group; of equal ones the first.
Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout);
// The same for pairs of rows, by the root of the sum of both squares; partner[row] is the row itself if it is alone.
Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, std::span<const int64_t> partner);
// Share of the weight's squared magnitude under the mask, in [0, 1]; 1 for an all-zero weight.
double SaliencyKept(std::span<const float> weight, std::span<const uint8_t> mask);
// Zeroes what the mask drops.
void ApplyMask(std::span<const uint8_t> mask, std::span<float> weight);

}  // namespace tamis
