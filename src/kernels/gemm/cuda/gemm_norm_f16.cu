// The block shapes of products with a layer norm behind them, for f16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance NormInstanceF16(int index, bool dense) {
  return MakeNormInstance<false>(index, dense);
}

}  // namespace tamis::cuda
