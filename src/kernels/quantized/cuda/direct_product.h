// int8 products without tensor cores: any GPU, groups, paddings and sizes.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

// y[batch, out_h, out_w, outputs] over x[batch, in_h, in_w, channels] of codes, or, with `quantizes`, over x[batch,
// channels, in_h, in_w] of f32, coded as round(x / x_scale) + x_zero. w is [outputs, kernel_h, kernel_w, channels /
// group] of s8. Sums are of codes less their zero point, and no bias makes up for it.
struct DirectProductArgs : ConvGeometry {
  const void* x = nullptr;
  const int8_t* w = nullptr;
  const Int8Channel* channels_of_y = nullptr;
  const void* residual = nullptr;  // may be null
  void* y = nullptr;
  int outputs = 0, group = 1;
  bool quantizes = false;
  float x_scale = 1;
  int x_zero = 0;
  ActivationArgs activation;
  Int8Types types;
};

cudaError_t LaunchDirectProduct(const DirectProductArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
