// The 2:4 pattern: groups of four, their check, and the compressed form.
//
// A weight is seen as rows of `columns` elements. Groups of four never cross the end of the last axis (`run` elements):
// a convolution's [O, R, S, C] has R * S runs of C in each row, and a run's last group counts as padded with zeros. All
// functions are thread-safe and read their arguments only.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

inline constexpr int64_t kGroup = 4;      // consecutive elements of a group
inline constexpr int64_t kGroupKept = 2;  // of which so many may be non-zero

struct WeightLayout {
  int64_t rows = 0;     // N, outputs
  int64_t columns = 0;  // K, elements of one output
  int64_t run = 0;      // the last axis; divides columns

  int64_t GroupsPerRun() const { return (run + kGroup - 1) / kGroup; }
  int64_t GroupsPerRow() const { return run == 0 ? 0 : columns / run * GroupsPerRun(); }
  // First column of group g of a row, and how many columns it has (4, less only at the end of a run).
  int64_t GroupBegin(int64_t g) const { return g / GroupsPerRun() * run + g % GroupsPerRun() * kGroup; }
  int64_t GroupSize(int64_t g) const { return std::min(kGroup, run - g % GroupsPerRun() * kGroup); }
};
// [N, ..., C] -> N rows of product(..., C) columns in runs of C. `dims` must have rank 2 or more.
WeightLayout LayoutOf(std::span<const int64_t> dims);

struct BrokenGroup {
  Dims coordinates;  // of the group's first element
  int nonzeros = 0;
  // "3 non-zeros in the group at [7, 0, 1, 12]"
  std::string ToString() const;
};
// The first group, in row-major order, with more than two non-zeros; nullopt if the weight is 2:4. Understands f32,
// f64, f16, bf16 and 8-bit integers; -0 is zero and NaN is not. Error for another dtype or a rank below 2.
Result<std::optional<BrokenGroup>> FindBrokenGroup(const Tensor& weight);

// Which elements of every group of outputs [first, first + rows) are not zero: bit i for the group's element i, groups
// of a row behind one another. Networks that were masked elsewhere as w * mask hold -0 where w was negative, which is
// zero here as it is for every kernel that packs weights. The dtypes of FindBrokenGroup; the rank is 2 or more.
std::vector<uint8_t> GroupMasks(const Tensor& weight, int64_t first, int64_t rows);

// Canonical compressed form. Of every group two elements are kept: `values` is [rows, groups, 2] in the weight's dtype,
// and `codes` holds 4 bits a group, low nibble first, each row starting on a byte: first position | second << 2, first
// < second. Missing non-zeros are filled up with the lowest free positions, whose values are zero.
struct CompressedWeight {
  Dims dims;  // of the dense weight
  Tensor values;
  Tensor codes;  // uint8 [rows, (groups + 1) / 2]
};
// Error naming the group if the weight is not 2:4.
Result<CompressedWeight> Compress(const Tensor& weight);
// Inverse of Compress; bitwise except that -0 became 0. Checks shapes and codes, which may come from a file.
Result<Tensor> Decompress(const CompressedWeight& compressed);

// The six ways to keep two of four, ascending.
inline constexpr std::array<std::array<int, 2>, 6> kGroupPairs = {{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}};

}  // namespace tamis
