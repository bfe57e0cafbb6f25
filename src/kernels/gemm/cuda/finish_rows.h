// The epilogue of a product whose library has only part of it: y = act(scale * y + bias + residual), in place.
#pragma once

#include <cuda_runtime_api.h>

#include "src/kernels/cuda/epilogue_args.h"
#include "tamis/dtype.h"

namespace tamis::cuda {

struct FinishRowsArgs {
  void* y = nullptr;              // [rows, outputs]
  const float* scales = nullptr;  // one an output, of what y holds; may be null
  const float* bias = nullptr;
  const void* residual = nullptr;
  int rows = 0, outputs = 0;                                          // outputs a multiple of 8
  DType y_dtype = DType::kFloat16, residual_dtype = DType::kFloat16;  // f32, f16 or bf16
  ActivationArgs activation;
};

// Of a CudaLinear or a CudaConv; the addresses are left.
template <class Layer>
FinishRowsArgs FinishRowsOf(const Layer& layer, int rows) {
  FinishRowsArgs args;
  args.rows = rows;
  args.outputs = layer.outputs;
  args.y_dtype = layer.output_f32 ? DType::kFloat32 : layer.dtype;
  args.residual_dtype = layer.residual_f32 ? DType::kFloat32 : layer.dtype;
  args.activation = layer.activation;
  return args;
}

cudaError_t LaunchFinishRows(const FinishRowsArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
