// ChannelsLastGroupNorm (op_tamis.h): the arguments of its bodies and the part that does not depend on the ISA.
//
// An item is a slab of whole groups of one batch entry. The sums run over pixels channel by channel and are then joined
// over each group's channels, so that every read is a vector of neighbouring channels.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/ops/op_tamis.h"

namespace tamis {

struct GroupNormArgs {
  int64_t pixels = 0, channels = 0;
  int64_t groups = 0, width = 0;       // channels of a group
  int64_t slab_groups = 0, slabs = 0;  // of one batch entry
  float epsilon = 0;
  Activation activation = Activation::kNone;
  bool bf16_input = false, bf16_output = false;
};

using GroupNormBody = RangeBody<GroupNormArgs>;

Status SupportsGroupNorm(const Problem& problem);
double GroupNormFlops(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareGroupNorm(const Problem& problem, GroupNormBody body);

}  // namespace tamis
