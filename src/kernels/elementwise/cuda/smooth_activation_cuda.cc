// More operators of the elementwise kernel: a definition names six at most.
#include "src/kernels/elementwise/cuda/cuda_elementwise_read.h"

namespace tamis::cuda {

extern const CudaKernelDef cuda_kernel_smooth_activation_cuda = {.name = "smooth_activation_cuda",
                                                                 .family = "elementwise",
                                                                 .ops = {"Swish", "Mish", "Elu"},
                                                                 .supports = SupportsElementwise,
                                                                 .prepare = PrepareElementwise};

}  // namespace tamis::cuda
