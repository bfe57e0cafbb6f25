// Two pointwise convolutions in one kernel, on Hopper: the end of one bottleneck of a network and the beginning of the
// next. Plain C++.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "src/kernels/cuda/epilogue_args.h"

namespace tamis::cuda {

// y[rows, 256] = act(x[rows, 64] . w^T + bias + residual), z[rows, reduced] = act(y . w2^T + bias2), f16 with f32 sums;
// y is rounded before it is read again. The activations are none, ReLU or Clip.
struct ChainedConvProblem {
  int64_t rows = 0;
  int reduced = 0;
  bool residual = false;
  ActivationArgs activation, second_activation;
};
inline constexpr int kChainedDepth = 64, kChainedOutputs = 256;

// Addresses on the device; weights are packed by PackDenseTiles, biases may be null.
struct ChainedConvOperands {
  const void *x = nullptr, *weight = nullptr, *residual = nullptr, *second_weight = nullptr;
  const float *bias = nullptr, *second_bias = nullptr;
  void *y = nullptr, *z = nullptr;
};

constexpr bool IsChainedWidth(int64_t reduced) {
  return reduced == 64 || reduced == 128;
}
cudaError_t AllowChainedConv(const ChainedConvProblem& problem);
cudaError_t LaunchChainedConv(const ChainedConvProblem& problem, const ChainedConvOperands& operands,
                              int multiprocessors, cudaStream_t stream);

}  // namespace tamis::cuda
