// The block shapes that keep lines of images in shared memory, of dense weights in f16.
#include "src/kernels/gemm/cuda/gemm24_lines_instances.cuh"

namespace tamis::cuda {

LinesInstance DenseLinesF16(int index) {
  return MakeLinesInstance<false, false>(index);
}

}  // namespace tamis::cuda
