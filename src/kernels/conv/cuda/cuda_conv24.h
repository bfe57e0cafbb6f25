// A ChannelsLastConv with a 2:4 weight as a product of gemm24_launch.h.
#pragma once

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/gemm/cuda/cuda_gemm24.h"

namespace tamis::cuda {

// What a convolution reads, as a product of images does.
ImageSource ImageOf(const CudaConv& conv);
// One group, f16, 2:4. A pointwise convolution is a plain product over pixels, any other one of images; otherwise the
// reason.
Result<Gemm24Problem> ReadConv24(const Problem& problem, bool dense = false);
// Whether warpgroup products, and the copy engine that feeds them, can do it.
Status CheckConvWgmma(const Gemm24Problem& gemm, const Device& device);

}  // namespace tamis::cuda
