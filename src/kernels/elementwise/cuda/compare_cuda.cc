// Comparisons of floats, integers and bools.
#include "src/kernels/elementwise/cuda/cuda_logic_read.h"

namespace tamis::cuda {

extern const CudaKernelDef cuda_kernel_compare_cuda = {
    .name = "compare_cuda",
    .family = "elementwise",
    .ops = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"},
    .preference = 110,
    .supports = SupportsLogic,
    .prepare = PrepareLogic};

}  // namespace tamis::cuda
