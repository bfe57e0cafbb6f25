// Moves elements between two strided layouts: what Transpose, Slice, Split, Concat and Expand all are. The elements are
// not looked at, so any dtype of 1, 2, 4 or 8 bytes.
//
// Loops are merged where both layouts allow it. Runs that are contiguous on both sides are copied whole; where only the
// source is contiguous, and along another loop than the target, the copy goes by square tiles of those two loops.
#pragma once

#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {

struct CopyLoop {
  int64_t dim = 1;
  int64_t in = 0;   // stride in elements; 0 repeats, negative walks backwards
  int64_t out = 0;  // stride in elements
};

// One input to one output. Offsets and strides must keep every access inside the operands.
struct CopyPart {
  size_t input = 0, output = 0;
  int64_t in_offset = 0, out_offset = 0;  // elements
  std::vector<CopyLoop> loops;            // outermost first
};

// OK if an element has 1, 2, 4 or 8 bytes.
Status CheckMovable(DType dtype);
// Row-major strides.
std::vector<int64_t> ElementStrides(const Dims& dims);
// Threads share the elements of all parts.
std::unique_ptr<PreparedKernel> MakeStridedCopy(DType dtype, std::vector<CopyPart> parts, int threads);
double PredictCopySeconds(const Problem& problem);

}  // namespace tamis
