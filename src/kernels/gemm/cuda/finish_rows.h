// The epilogue of a product whose library has only part of it: y = act(y + bias + residual), in place.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/epilogue_args.h"

namespace tamis::cuda {

struct FinishRowsArgs {
  void* y = nullptr;  // [rows, outputs], f16 or f32
  const float* bias = nullptr;
  const void* residual = nullptr;
  int rows = 0, outputs = 0;  // outputs a multiple of 8
  bool y_f32 = false, residual_f32 = false;
  ActivationArgs activation;
};

cudaError_t LaunchFinishRows(const FinishRowsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
