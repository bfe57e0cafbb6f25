// Arithmetic of integers.
#include "src/kernels/elementwise/cuda/cuda_logic_read.h"

namespace tamis::cuda {

extern const CudaKernelDef cuda_kernel_integer_cuda = {.name = "integer_cuda",
                                                       .family = "elementwise",
                                                       .ops = {"Add", "Sub", "Mul"},
                                                       .preference = 110,
                                                       .supports = SupportsLogic,
                                                       .prepare = PrepareLogic};

}  // namespace tamis::cuda
