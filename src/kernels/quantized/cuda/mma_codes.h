// Products of codes by mma.sync, on any GPU with tensor cores that Tamis knows.
#pragma once

#include "src/kernels/gemm/cuda/gemm24_launch.h"
#include "src/kernels/gemm/cuda/mma_args.h"

namespace tamis::cuda {

// As MmaArgs with pairs of codes for elements: depth and channels are half as many, the rows of x and w 16-byte
// aligned. Sums are of codes as they are, or, where x is u8, of codes less 128: the bias of `channels_of_y` makes up
// for what is left of the zero point. Padding is the code 0. `bias`, `residual_f32` and `output_f32` are not looked at.
struct MmaCodeArgs : MmaArgs {
  const Int8Channel* channels_of_y = nullptr;
  Int8Types types;
};

// Of kMmaTiles the first kWarpTiles. x from rows or from pixels.
template <MmaSource kSource>
cudaError_t PrepareMmaCodes(MmaChoice choice);
template <MmaSource kSource>
cudaError_t LaunchMmaCodes(MmaChoice choice, const MmaCodeArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
