#include "src/kernels/gemm/cuda/mma_tile.cuh"

namespace tamis::cuda {

template cudaError_t PrepareMma<MmaSource::kPlanes>(MmaChoice);
template cudaError_t LaunchMma<MmaSource::kPlanes>(MmaChoice, const MmaArgs&, cudaStream_t);

}  // namespace tamis::cuda
