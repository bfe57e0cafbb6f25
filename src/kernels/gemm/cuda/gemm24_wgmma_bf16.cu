// The block shapes of gemm24_wgmma for bf16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance WgmmaInstanceBf16(int index) {
  return MakeWgmmaInstance<true>(index);
}

}  // namespace tamis::cuda
