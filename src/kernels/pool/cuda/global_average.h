// The mean of all pixels of a channel.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "tamis/dtype.h"

namespace tamis::cuda {

// x [batch, pixels, channels] to y [batch, channels], f16, bf16 or f32.
struct GlobalAverageArgs {
  const void* x = nullptr;
  void* y = nullptr;
  int batch = 0, pixels = 0, channels = 0;
  DType x_dtype = DType::kFloat16, y_dtype = DType::kFloat16;
  int parts = 1;             // of an image, each summed by blocks of its own
  float* partial = nullptr;  // [batch, parts, channels] where there are several
};

// How many parts keep the GPU busy, of images whose channels are a multiple of 8; 1 for others.
int GlobalAverageParts(const GlobalAverageArgs& args);

cudaError_t LaunchGlobalAverage(const GlobalAverageArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
