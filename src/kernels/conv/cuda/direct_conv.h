// Convolution of any groups, channels and dilation, without tensor cores.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/conv_geometry.h"
#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

// x [batch, in_h, in_w, channels] to y [batch, out_h, out_w, outputs]; f16, bf16 or f32.
struct DirectConvArgs : ConvGeometry {
  const void* x = nullptr;
  const void* w = nullptr;      // [kernel_h * kernel_w * channels / group, outputs] in the type of x
  const float* bias = nullptr;  // may be null
  const void* residual = nullptr;
  void* y = nullptr;
  int outputs = 0, group = 1;
  DType x_dtype = DType::kFloat16, y_dtype = DType::kFloat16, residual_dtype = DType::kFloat16;
  ActivationArgs activation;
};

cudaError_t LaunchDirectConv(const DirectConvArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
