// The block shapes of dense products by warpgroups, for bf16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance DenseInstanceBf16(int index) {
  return MakeDenseInstance<true>(index);
}

}  // namespace tamis::cuda
