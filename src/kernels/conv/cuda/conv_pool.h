// The first convolution of a network and the max pool behind it in one kernel, on Hopper: what the convolution gives
// never reaches memory. Plain C++.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

// y[batch, pool_h, pool_w, outputs] = max over windows of 3 x 3, every other pixel from -1 on, of the convolution.
struct ConvPoolProblem {
  // Folded images, as conv_folded_wgmma and quantized_folded_wgmma read them: a pixel of the convolution reads one run
  // of 128 bytes from each of kernel_h lines.
  ImageSource image;
  int outputs = 0;
  int pool_h = 0, pool_w = 0;
  ActivationArgs activation;  // none, ReLU or Clip: they keep the order of numbers
  bool int8 = false;          // x and the weight are codes, y codes of `types`
  Int8Types types = {};
};

// Whether there is a block shape for it; otherwise why not.
const char* WhyNoConvPool(const ConvPoolProblem& problem);
cudaError_t AllowConvPool(const ConvPoolProblem& problem);
// `weight` is packed by PackDenseTiles or PackCodeTiles. Operands: x, weight, bias or channels, y.
cudaError_t LaunchConvPool(const ConvPoolProblem& problem, const Gemm24Operands& operands, int multiprocessors,
                           cudaStream_t stream);

}  // namespace tamis::cuda
