// The first convolution of a network as a product over folded images, on Hopper. Its images have too few channels for
// tensor cores to read, so that as many neighbouring pixels as the stride skips become one pixel with the channels of
// all, and the convolution one of stride 1 with a smaller kernel (7 x 7 by strides of 2 over 3 channels: 4 x 4 over
// 12). Its kernel's pixels of a row lie side by side in memory, so one row of the kernel is read as one run of channels
// of images whose pixels overlap.
#pragma once

#include "src/kernels/conv/cuda/cuda_conv24.h"
#include "src/kernels/conv/cuda/fold_image.h"

namespace tamis::cuda {

struct FoldedConv {
  FoldImageArgs fold;
  Gemm24Problem gemm;  // over the folded images
  int64_t run = 0;     // elements of a row of the kernel; of codes twice the depth of `gemm`

  // What both types fold alike; the pitch, the rows and the size of folded images are left.
  explicit FoldedConv(const CudaConv& conv);
  FoldedConv() = default;
  // gemm.image, of whose elements `packed` lie in one of `gemm`, once everything else is known.
  void SetImage(const CudaConv& conv, int kernel_h, int packed);

  // Of the folded images.
  size_t ImageBytes() const;
  Status Fold(const void* x, void* images, cudaStream_t stream) const;
};

// What folding asks of any convolution.
Status CheckFoldable(const CudaConv& conv);
// A ChannelsFirstConv; otherwise the reason.
Result<FoldedConv> FoldConv(const Problem& problem, const Device& device);
Result<std::shared_ptr<const DeviceBytes>> HoldFoldedWeight(const Problem& problem, const FoldedConv& folded,
                                                            PrepareContext& context);

}  // namespace tamis::cuda
