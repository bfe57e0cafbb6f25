// Resize and Upsample with constant sizes or scales: arguments of their bodies and the part that does not depend on the
// ISA.
//
// Items are rows of the result's last axis. A row is the weighted sum of the input rows that the other axes ask for,
// which is then resampled along the last axis by its own table. Where one other axis changes (pictures, channels
// first), it is the other way round: a row of the input is resampled once and kept for all results that need it. Axes
// behind the last one that changes (pictures, channels last) count as one element of it where others change too.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

constexpr int kMaxResizeRank = 8;
constexpr int64_t kMaxKeptRows = 4;  // of linear and cubic without antialiasing

struct ResizeTable {
  const int64_t* index = nullptr;  // [out, taps]
  const float* weight = nullptr;
  int64_t taps = 1;
  bool identity = true;
};

struct ResizeArgs {
  int rank = 0;
  int64_t out[kMaxResizeRank] = {};
  int64_t strides[kMaxResizeRank] = {};  // of the input
  int64_t inner = 1;                     // numbers of one element of the last axis
  int64_t in_row = 0;                    // numbers of a row of the input
  ResizeTable tables[kMaxResizeRank];    // owned by the kernel
  int element = 4;                       // bytes; linear and cubic are f32
  bool copies = false;                   // nearest
  int64_t repeat = 0;                    // nearest: each element of a row stands so many times; 0: by the table
  int kept_axis = -1;                    // the only axis that changes beside the last
};

using ResizeBody = RangeBody<ResizeArgs>;

Status SupportsResize(const Problem& problem);
double ResizeFlops(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareResize(const Problem& problem, ResizeBody body);

}  // namespace tamis
