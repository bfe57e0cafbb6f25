// ChainedConv (src/cuda/fuse_for_cuda.h) as the two convolutions that it was made of.
#pragma once

#include "src/kernels/conv/cuda/cuda_conv.h"

namespace tamis::cuda {

struct ChainedParts {
  Node first_node, second_node;
  Problem first, second;

  explicit ChainedParts(const Problem& whole);
  ChainedParts(const ChainedParts&) = delete;
  ChainedParts& operator=(const ChainedParts&) = delete;
};

// Inputs of the whole: x, weight, bias, residual of the first, then these of the second.
inline constexpr size_t kSecondWeight = 4, kSecondBias = 5;

}  // namespace tamis::cuda
