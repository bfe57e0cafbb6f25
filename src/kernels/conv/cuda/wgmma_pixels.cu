#include "src/kernels/gemm/cuda/wgmma_tile.cuh"

namespace tamis::cuda {

template cudaError_t PrepareWgmma<MmaSource::kPixels>(int);
template cudaError_t LaunchWgmma<MmaSource::kPixels>(int, const MmaArgs&, cudaStream_t);

}  // namespace tamis::cuda
