// Transpose of pictures of few channels to channels last, [n, c, ...] to [n, ..., c]: the planes of an image are
// interleaved. By rows too, so that the first convolution reads what was just written (src/kernels/block/).
#pragma once

#include "src/kernels/kernel.h"

namespace tamis {

inline constexpr int64_t kMostPlanes = 4;

// Writes `pixels` pixels of `planes` elements each; `in` is the first element of the first plane, and the planes are
// `pitch` elements apart.
using InterleaveRoutine = void (*)(const void* in, int64_t pitch, int64_t planes, int64_t pixels, void* out);

// OK for 2 to kMostPlanes planes of any dtype of 1, 2, 4 or 8 bytes.
Status SupportsInterleave(const Problem& problem);
std::unique_ptr<PreparedKernel> MakeInterleave(const Problem& problem, InterleaveRoutine routine);

}  // namespace tamis
