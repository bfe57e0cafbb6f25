// The loop nest of an operator that broadcasts its operands: dimensions of the result with each operand's strides,
// neighbouring dimensions merged wherever all operands allow it, so that the innermost loop is long.
#pragma once

#include <array>
#include <span>

#include "src/kernels/kernel.h"

namespace tamis {

constexpr size_t kMaxOperands = 6;
constexpr size_t kMaxLoops = 8;

struct BroadcastLoops {
  int rank = 0;  // at least 1
  int64_t dims[kMaxLoops] = {};
  int64_t strides[kMaxOperands][kMaxLoops] = {};  // elements; 0 where broadcast, and the last is 0 or 1
  int64_t count = 0;                              // product of dims
};

// An error if an operand doesn't broadcast to `out` or more than kMaxLoops loops are left.
Result<BroadcastLoops> MakeBroadcastLoops(const Dims& out, std::span<const Dims* const> operands);

// The loops of a node's first `operands` inputs.
Result<BroadcastLoops> MakeBroadcastLoops(const Problem& problem, size_t operands);

// Offsets of the operands at element `row * dims[rank - 1]` of the result.
void RowOffsets(const BroadcastLoops& loops, int64_t row, int64_t (&offsets)[kMaxOperands]);

}  // namespace tamis
