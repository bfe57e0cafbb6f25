// Layer norm over the last axis.
#pragma once

#include <cuda_runtime_api.h>

namespace tamis::cuda {

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias, a row at a time, statistics in f32.
struct LayerNormArgs {
  const void *x = nullptr, *scale = nullptr, *bias = nullptr;  // bias may be null
  void* y = nullptr;
  int rows = 0, columns = 0;
  float epsilon = 0;
  bool f16 = false;  // of all operands; else f32
};

cudaError_t LaunchLayerNorm(const LayerNormArgs& args, cudaStream_t stream);

// softmax over the last axis; log softmax with `logarithm`.
struct SoftmaxArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int rows = 0, columns = 0;
  bool f16 = false, logarithm = false;
};

cudaError_t LaunchSoftmax(const SoftmaxArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
