// ElementwiseChain as the CUDA kernels read it, and as the source of a kernel of its own.
#pragma once

#include <string>

#include "src/kernels/chain/cuda/chain_elements.h"
#include "src/kernels/kernel.h"

namespace tamis::cuda {

// Everything but the addresses; otherwise the reason.
Result<ChainElementsArgs> ReadCudaChain(const Problem& problem);

struct ChainSource {
  std::string text;  // CUDA C++ without headers: kernel "chain" of the addresses of the inputs and of y
  unsigned blocks = 0, threads = 0;
};
// Sizes, strides, types and steps are constants in it. `overlaps`: the device has the instructions of programmatic
// dependent launch.
ChainSource WriteChainSource(const ChainElementsArgs& args, bool overlaps);

}  // namespace tamis::cuda
