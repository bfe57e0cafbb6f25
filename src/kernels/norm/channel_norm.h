// Normalisations of channels-first data x[N, C, spatial...]: InstanceNormalization (each channel of an item),
// GroupNormalization (each group of channels of an item) and BatchNormalization with given moments. f32.
//
// An item is one group of one batch entry; all three end as y = x * factor[c] + shift[c].
#pragma once

#include "src/kernels/range_kernel.h"

namespace tamis {

struct ChannelNormArgs {
  int64_t channels = 0;  // of an item
  int64_t plane = 0;     // elements of a channel
  int64_t groups = 1;    // items of a batch entry
  float epsilon = 0;
  bool given = false;           // BatchNormalization: mean and variance are inputs 3 and 4
  bool scale_by_group = false;  // GroupNormalization before opset 21: one scale and bias a group
};

using ChannelNormBody = RangeBody<ChannelNormArgs>;

Status SupportsChannelNorm(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareChannelNorm(const Problem& problem, ChannelNormBody body);

}  // namespace tamis
