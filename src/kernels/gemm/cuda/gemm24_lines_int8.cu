// The block shapes that keep lines of images in shared memory, of 2:4 weights of codes.
#include "src/kernels/gemm/cuda/gemm24_lines_instances.cuh"
#include "src/kernels/gemm/cuda/int8_epilogue.cuh"

namespace tamis::cuda {

LinesInstance SparseLinesInt8(int index) {
  return MakeLinesInstance<true, true>(index);
}

}  // namespace tamis::cuda
