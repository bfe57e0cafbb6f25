// Channels-last pools and depthwise convolution: a window that slides over each channel by itself.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/conv_geometry.h"
#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

enum class WindowKind : int { kMax, kAverage, kDepthwise };

// x [batch, in_h, in_w, channels] to y [batch, out_h, out_w, channels], f16, bf16 or f32.
struct WindowArgs : ConvGeometry {
  WindowKind kind = WindowKind::kMax;
  const void* x = nullptr;
  const void* w = nullptr;      // kDepthwise: [kernel_h * kernel_w, channels] in the type of x
  const float* bias = nullptr;  // kDepthwise; may be null
  const void* residual = nullptr;
  void* y = nullptr;
  bool count_padding = false;      // kAverage: divide by taps in the padding too,
  int padded_h = 0, padded_w = 0;  // which ends there (input and padding behind it)
  DType x_dtype = DType::kFloat16, y_dtype = DType::kFloat16, residual_dtype = DType::kFloat16;
  DType codes = DType::kUndefined;  // kMax: u8 or s8, of x and y, whose own types don't count then
  ActivationArgs activation;
};

cudaError_t LaunchWindow(const WindowArgs& args, cudaStream_t stream);

// kDepthwise alone, of f16 or bf16, an even number of channels, square kernels of 3, 5 or 7, equal strides of 1 or 2
// and no dilation: a thread computes `strip` (2 or 4) neighbouring outputs of a line.
bool TakesStrips(const WindowArgs& args);
cudaError_t LaunchStrips(const WindowArgs& args, int strip, cudaStream_t stream);

}  // namespace tamis::cuda
