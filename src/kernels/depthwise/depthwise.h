// ChannelsLastConv with one filter per channel (group = channels = outputs): the arguments of its bodies and the part
// that does not depend on the ISA. Items are rows of the result, or channels, 32 at a time; channels lie across vector
// lanes. Weights are packed as f32 [taps][channels rounded up to 16].
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/kernels/window.h"
#include "src/ops/op_tamis.h"

namespace tamis {

struct DepthwiseArgs {
  Window window;
  Epilogue epilogue;
  bool bf16_input = false, bf16_residual = false, bf16_output = false;
  const float* weights = nullptr;
  int64_t weight_stride = 0;
  bool by_channels = false;
};
constexpr int64_t kChannelUnit = 32;

// Rows and channels of the result.
struct DepthwisePart {
  int64_t first_row, last_row, first_channel, last_channel;
};

using DepthwiseBody = RangeBody<DepthwiseArgs>;

Status SupportsDepthwise(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareDepthwise(const Problem& problem, PackCache& cache, DepthwiseBody body);
double DepthwiseFlops(const Problem& problem);

}  // namespace tamis
