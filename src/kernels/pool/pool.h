// ChannelsLastMaxPool and ChannelsLastAveragePool: the arguments of their bodies and the part that does not depend on
// the ISA. Items are rows of the result. Sizes of the result are the graph's (floor or ceil mode).
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/kernels/window.h"

namespace tamis {

struct PoolArgs {
  Window window;
  bool average = false;
  bool count_padding = false;  // an average divides by the taps inside the padded image, not inside the image
  bool bf16_input = false, bf16_output = false;
};

using PoolBody = RangeBody<PoolArgs>;

Status SupportsPool(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PreparePool(const Problem& problem, PoolBody body);
double PoolFlops(const Problem& problem);

}  // namespace tamis
