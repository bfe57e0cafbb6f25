// What the CUDA kernels of Float8Linear (src/cuda/fuse_for_cuda.h) read from a Problem.
#pragma once

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/epilogue_args.h"
#include "src/kernels/gemm/cuda/gemm24_launch.h"

namespace tamis::cuda {

struct CudaFloat8 {
  int rows = 0, outputs = 0, depth = 0;
  bool residual = false;
  DType y = DType::kFloat16, residual_dtype = DType::kFloat16;  // f16, bf16 or f32
  ActivationArgs activation;
};

// With constant weight, scales and bias, outputs and depth multiples of 16; otherwise the reason.
Result<CudaFloat8> ReadCudaFloat8(const Problem& problem);

// Scale and bias of every output.
Result<std::shared_ptr<const DeviceBytes>> HoldFloat8Channels(const Problem& problem, PrepareContext& context);

// As products by warpgroups (src/kernels/gemm/cuda/gemm24_launch.h) with a weight of that pattern.
Result<int> CountFloat8Wgmma(const Problem& problem, Pattern pattern, PrepareContext& context);
Result<std::unique_ptr<CudaKernel>> PrepareFloat8Wgmma(const Problem& problem, Pattern pattern, int variant,
                                                       PrepareContext& context);

}  // namespace tamis::cuda
