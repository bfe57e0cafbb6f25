// The persistent block shapes of 2:4 int8 products by warpgroups.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"
#include "src/kernels/gemm/cuda/int8_epilogue.cuh"

namespace tamis::cuda {

WgmmaInstance Int8SparsePersistentInstance(int index) {
  return MakeInt8Instance<true, true>(index);
}

}  // namespace tamis::cuda
