// What the CUDA elementwise kernel reads from a Problem.
#pragma once

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/cuda/elementwise.h"

namespace tamis::cuda {

Result<ElementwiseArgs> ReadElementwise(const Problem& problem);
Result<int> SupportsElementwise(const Problem& problem, PrepareContext& context);
Result<std::unique_ptr<CudaKernel>> PrepareElementwise(const Problem& problem, int variant, PrepareContext& context);

}  // namespace tamis::cuda
