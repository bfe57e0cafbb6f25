// The block shapes of products with a layer norm behind them, for bf16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance NormInstanceBf16(int index, bool dense) {
  return MakeNormInstance<true>(index, dense);
}

}  // namespace tamis::cuda
