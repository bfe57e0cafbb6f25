// LRN (Krizhevsky et al. 2012): arguments of its bodies and the part that does not
// depend on the ISA.
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

// x[batch, channels, plane]; items are blocks of kBlock elements of a plane.
struct LrnArgs {
  static constexpr int64_t kBlock = 256;
  int64_t channels = 1, plane = 1, blocks = 1;
  int64_t before = 0, after = 0;  // channels that count beside an element's own
  float alpha = 0, beta = 0, bias = 0;
};

using LrnBody = RangeBody<LrnArgs>;

Status SupportsLrn(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareLrn(const Problem& problem, LrnBody body);
double LrnFlops(const Problem& problem);

}  // namespace tamis
