// The epilogue of a product whose library has only part of it: y = act(y + bias + residual), in place.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

struct FinishRowsArgs {
  void* y = nullptr;  // [rows, outputs]
  const float* bias = nullptr;
  const void* residual = nullptr;
  int rows = 0, outputs = 0;                                          // outputs a multiple of 8
  DType y_dtype = DType::kFloat16, residual_dtype = DType::kFloat16;  // f32, f16 or bf16
  ActivationArgs activation;
};

cudaError_t LaunchFinishRows(const FinishRowsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
