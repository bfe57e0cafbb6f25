// The block shapes of products of float8, dense and 2:4, with results in bf16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance Float8InstanceBf16(int index, bool dense) {
  return dense ? MakeFloat8Instance<false, true>(index) : MakeFloat8Instance<true, true>(index);
}

}  // namespace tamis::cuda
