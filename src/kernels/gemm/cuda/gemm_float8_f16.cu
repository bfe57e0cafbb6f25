// The block shapes of products of float8, dense and 2:4, with results in f16.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance Float8InstanceF16(int index, bool dense) {
  return dense ? MakeFloat8Instance<false, false>(index) : MakeFloat8Instance<true, false>(index);
}

}  // namespace tamis::cuda
