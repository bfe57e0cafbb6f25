// The block shapes that keep lines of images in shared memory, of 2:4 weights in f16.
#include "src/kernels/gemm/cuda/gemm24_lines_instances.cuh"

namespace tamis::cuda {

LinesInstance SparseLinesF16(int index) {
  return MakeLinesInstance<true, false>(index);
}

}  // namespace tamis::cuda
