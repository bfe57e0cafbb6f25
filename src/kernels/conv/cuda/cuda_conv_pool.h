// ChannelsFirstConvPool and QuantizedChannelsFirstConvPool (src/cuda/fuse_for_cuda.h) as what they were made of.
#pragma once

#include "src/kernels/conv/cuda/conv_pool.h"
#include "src/kernels/cuda/cuda_kernel.h"

namespace tamis::cuda {

// The problems of the convolution and of the pool.
struct ConvPoolParts {
  Node conv_node, pool_node;
  Problem conv, pool;

  explicit ConvPoolParts(const Problem& whole);
  ConvPoolParts(const ConvPoolParts&) = delete;
  ConvPoolParts& operator=(const ConvPoolParts&) = delete;
};

// The whole with its convolution as a product over folded images; otherwise the reason why conv_pool.h can't do it.
Result<ConvPoolProblem> ReadConvPool(const Problem& whole, const Gemm24Problem& conv);

}  // namespace tamis::cuda
