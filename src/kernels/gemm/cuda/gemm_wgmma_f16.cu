// The block shapes of dense products by warpgroups, for f16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance DenseInstanceF16(int index) {
  return MakeDenseInstance<false>(index);
}

}  // namespace tamis::cuda
