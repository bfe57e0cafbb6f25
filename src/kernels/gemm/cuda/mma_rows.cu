#include "src/kernels/gemm/cuda/mma_tile.cuh"

namespace tamis::cuda {

template cudaError_t PrepareMma<MmaSource::kRows>(MmaChoice);
template cudaError_t LaunchMma<MmaSource::kRows>(MmaChoice, const MmaArgs&, cudaStream_t);

}  // namespace tamis::cuda
