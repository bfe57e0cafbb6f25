// The persistent block shapes of dense int8 products by warpgroups.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"
#include "src/kernels/gemm/cuda/int8_epilogue.cuh"

namespace tamis::cuda {

WgmmaInstance Int8PersistentInstance(int index) {
  return MakeInt8Instance<false, true>(index);
}

}  // namespace tamis::cuda
