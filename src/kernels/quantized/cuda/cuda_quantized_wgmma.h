// What the definitions of int8 products by warpgroups share, of dense and of 2:4 weights.
#pragma once

#include "src/kernels/quantized/cuda/cuda_int8.h"

namespace tamis::cuda {

// The number of variants for a QuantizedLinear or QuantizedConv whose weight is of that pattern, or why there is none.
Result<int> CountQuantizedWgmma(const Problem& problem, Pattern pattern, PrepareContext& context);
Result<std::unique_ptr<CudaKernel>> PrepareQuantizedWgmma(const Problem& problem, Pattern pattern, int variant,
                                                          PrepareContext& context);

}  // namespace tamis::cuda
