// QuantizedChannelsFirstConv as a product of codes over folded images (cuda_folded_conv.h), which are quantised while
// they are folded. The padding is written there too, so that it may have any code. Where the kernel is higher than the
// stride, a folded pixel holds the rows of as many strides as fill the 128 bytes that are fetched at once (7 x 7 by
// strides of 2 over 3 channels: 4 rows of 2 pixels, in 2 steps of 128 codes); its lines overlap.
#pragma once

#include "src/kernels/conv/cuda/cuda_folded_conv.h"
#include "src/kernels/quantized/cuda/cuda_int8.h"

namespace tamis::cuda {

Result<FoldedConv> FoldQuantizedConv(const CudaInt8& int8, const Device& device);
Result<std::shared_ptr<const DeviceBytes>> HoldFoldedCodes(const Problem& problem, const FoldedConv& folded,
                                                           PrepareContext& context);

}  // namespace tamis::cuda
