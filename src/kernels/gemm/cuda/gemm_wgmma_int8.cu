// The block shapes of dense int8 products by warpgroups, but for the persistent ones.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"
#include "src/kernels/gemm/cuda/int8_epilogue.cuh"

namespace tamis::cuda {

WgmmaInstance Int8Instance(int index) {
  return MakeInt8Instance<false, false>(index);
}

}  // namespace tamis::cuda
