// More operators of the elementwise kernel: a definition names six at most.
#include "src/kernels/elementwise/cuda/cuda_elementwise_read.h"

namespace tamis::cuda {

extern const CudaKernelDef cuda_kernel_scalar_function_cuda = {
    .name = "scalar_function_cuda",
    .family = "elementwise",
    .ops = {"Abs", "HardSigmoid", "LeakyRelu", "Softplus", "Pow"},
    .supports = SupportsElementwise,
    .prepare = PrepareElementwise};

}  // namespace tamis::cuda
