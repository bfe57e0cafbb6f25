// The block shapes of gemm24_wgmma for f16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance WgmmaInstanceF16(int index) {
  return MakeWgmmaInstance<false>(index);
}

}  // namespace tamis::cuda
