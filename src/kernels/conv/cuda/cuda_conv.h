// What the CUDA kernels of convolutions read from a Problem.
#pragma once

#include "src/kernels/cuda/conv_geometry.h"
#include "src/kernels/gemm/cuda/cuda_linear.h"

namespace tamis::cuda {

// y[batch, out_h, out_w, outputs] over x[batch, in_h, in_w, channels].
struct CudaConv : ConvGeometry {
  int outputs = 0, group = 1;
  int pad_h_end = 0, pad_w_end = 0;
  bool bias = false, residual = false;
  bool residual_f32 = false, output_f32 = false;  // else `dtype`
  DType dtype = DType::kFloat16;                  // of x and w; if f32 everything is
  bool tf32 = false;                              // f32 operands may be rounded to 10 bits of mantissa
  ActivationArgs activation;

  int Rows() const { return batch * out_h * out_w; }
  // Every output pixel reads exactly the input pixel at its own place.
  bool Pointwise() const {
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_h == 0 && pad_w == 0 &&
           pad_h_end == 0 && pad_w_end == 0;
  }
};

// The geometry alone, of any convolution over channels-last images, or over channels-first ones if `channels_first`.
Result<CudaConv> ReadConvGeometry(const Problem& problem, bool channels_first);

// Every ChannelsLastConv of one or two spatial axes with f16 x and a constant f16 w, and f16 or f32 residual and
// result; otherwise the reason. Likewise with `operands` kBFloat16; with kFloat32, every one that is f32 throughout.
// ChannelsFirstConv (src/cuda/fuse_for_cuda.h) differs only in x, which is f32 [batch, channels, in_h, in_w].
Result<CudaConv> ReadCudaConv(const Problem& problem, DType operands = DType::kFloat16);

}  // namespace tamis::cuda
