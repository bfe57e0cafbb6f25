// Which tiles and splits of the mma products are worth timing.
#pragma once

#include <vector>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/gemm/cuda/mma_args.h"

namespace tamis::cuda {

// Best predicted first, at most `limit`; empty only if the device's shared memory is too small for all.
std::vector<MmaChoice> MmaChoices(const Device& device, MmaSource source, int64_t rows, int64_t outputs, int64_t depth,
                                  size_t limit);

// For sources that have tiles of both kinds.
template <MmaSource kSource>
cudaError_t PrepareChoice(MmaChoice choice) {
  return choice.tile < kWarpTiles ? PrepareMma<kSource>(choice) : PrepareWgmma<kSource>(kMmaTiles[choice.tile].outputs);
}
template <MmaSource kSource>
cudaError_t LaunchChoice(MmaChoice choice, const MmaArgs& args, cudaStream_t stream) {
  return choice.tile < kWarpTiles ? LaunchMma<kSource>(choice, args, stream)
                                  : LaunchWgmma<kSource>(kMmaTiles[choice.tile].outputs, args, stream);
}

}  // namespace tamis::cuda
