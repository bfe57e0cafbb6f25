// Element orders of a weight in the unfused and in the fused graph (WeightTransform), as batched 2-D transposes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "src/ir/graph.h"

namespace tamis {

// The unfused weight is [batches][rows][columns]; the fused one [batches][columns][rows].
struct TransposeExtent {
  int64_t batches = 1, rows = 1, columns = 1;
};

// Of an unfused weight of `dims`; nullopt if the transform does not apply to this rank, or is kNone.
std::optional<TransposeExtent> ExtentOf(WeightTransform transform, std::span<const int64_t> dims);

// out[b][c][r] = in[b][r][c], elements of 1, 2, 4 or 8 bytes.
void TransposeBatches(const void* in, const TransposeExtent& extent, size_t element_bytes, void* out);

}  // namespace tamis
