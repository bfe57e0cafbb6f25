// What the CUDA kernels of products read from a Problem.
#pragma once

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/epilogue_args.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {

// y[rows, outputs] = act(x[rows, depth] . w[outputs, depth]^T + bias + residual)
struct CudaLinear {
  int rows = 0, outputs = 0, depth = 0;
  bool bias = false, residual = false;
  bool residual_f32 = false, output_f32 = false;  // else `dtype`
  DType dtype = DType::kFloat16;                  // of x and w; if f32 everything is
  bool tf32 = false;                              // f32 operands may be rounded to 10 bits of mantissa
  ActivationArgs activation;
};

// Every Linear with f16 x, a constant f16 w, and f16 or f32 residual and result; otherwise the reason. Likewise with
// `operands` kBFloat16; with kFloat32, every one that is f32 throughout.
Result<CudaLinear> ReadCudaLinear(const Problem& problem, DType operands = DType::kFloat16);
// The dtype conditions that Linear and ChannelsLastConv share: inputs are x, weight, bias, residual.
Status CheckProductOperands(const Problem& problem, DType x_dtype = DType::kFloat16,
                            DType weight_dtype = DType::kFloat16);
// A product whose x and weight are f32: the residual and y are too.
Status CheckF32Throughout(const Problem& problem);
ActivationArgs ToArgs(const Epilogue& epilogue);
ActivationArgs ReadActivation(const Node& node);

// Input `index`, a constant, as it is on the device.
Result<std::shared_ptr<const DeviceBytes>> HoldConstant(const Problem& problem, size_t index, PrepareContext& context);

}  // namespace tamis::cuda
