// ChannelsLastMaxPool of u8 or s8. Items are rows of the result.
#pragma once

#include "src/kernels/range_kernel.h"
#include "src/kernels/window.h"

namespace tamis {

struct MaxPoolCodesArgs {
  Window window;
  bool is_signed = false;
};

Status SupportsMaxPoolCodes(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareMaxPoolCodes(const Problem& problem, RangeBody<MaxPoolCodesArgs> body);

}  // namespace tamis
