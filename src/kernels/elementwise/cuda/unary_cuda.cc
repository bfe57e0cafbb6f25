// More operators of the elementwise kernel: a definition names six at most.
#include "src/kernels/elementwise/cuda/cuda_elementwise_read.h"

namespace tamis::cuda {

extern const CudaKernelDef cuda_kernel_unary_cuda = {.name = "unary_cuda",
                                                     .family = "elementwise",
                                                     .ops = {"Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg"},
                                                     .supports = SupportsElementwise,
                                                     .prepare = PrepareElementwise};

}  // namespace tamis::cuda
