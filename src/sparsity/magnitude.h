// Masks by size: which elements of a group stay, and masks by magnitude, the baseline that every better method has to
// beat.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/sparsity/pattern.h"

namespace tamis {

// One byte an element of the weight, 1 = kept.
using Mask = std::vector<uint8_t>;

// How many elements of a row stay: `kept` of every `group` that follow one another in a run, or, with a group of 0,
// half of the row, wherever they are. Kernels gain by 2:4 and by 1:4, which is 2:4 too; the others are there to compare
// with.
struct MaskRule {
  int64_t group = kGroup, kept = kGroupKept;
  bool operator==(const MaskRule&) const = default;
  bool IsTwoFour() const { return *this == MaskRule(); }
  // Whether weights of this rule are 2:4 as well.
  bool ImpliesTwoFour() const { return group == kGroup && kept <= kGroupKept; }
};
inline constexpr MaskRule kMaskRules[] = {{4, 2}, {4, 1}, {8, 4}, {0, 0}};
std::string Name(const MaskRule& rule);  // "2:4", "1:4", "4:8", "unstructured"

// Marks what stays of one row by the saliency of its elements: the largest; of equal ones the first.
void KeepLargest(std::span<const double> saliency, const WeightLayout& layout, const MaskRule& rule, uint8_t* mask);
// Whether at most so many elements are not zero as the rule keeps. f32 or int8.
bool Holds(const Tensor& weight, const MaskRule& rule);

// Keeps the largest magnitudes.
Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, const MaskRule& rule = {});
// The same for pairs of rows, by the root of the sum of both squares; partner[row] is the row itself if it is alone.
Mask MagnitudeMask(std::span<const float> weight, const WeightLayout& layout, std::span<const int64_t> partner,
                   const MaskRule& rule = {});
// Share of the weight's squared magnitude under the mask, in [0, 1]; 1 for an all-zero weight.
double SaliencyKept(std::span<const float> weight, std::span<const uint8_t> mask);
// Zeroes what the mask drops.
void ApplyMask(std::span<const uint8_t> mask, std::span<float> weight);

}  // namespace tamis
