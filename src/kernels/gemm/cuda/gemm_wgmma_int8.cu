// The block shapes of int8 products by warpgroups.
#include "src/kernels/gemm/cuda/gemm24_wgmma_instances.cuh"

namespace tamis::cuda {

WgmmaInstance Int8Instance(int index) {
  return MakeInt8Instance(index);
}

}  // namespace tamis::cuda
