// What the definitions over LaunchLogic share.
#pragma once

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/cuda/logic.h"

namespace tamis::cuda {

Result<LogicArgs> ReadLogic(const Problem& problem);
Result<int> SupportsLogic(const Problem& problem, PrepareContext&);
Result<std::unique_ptr<CudaKernel>> PrepareLogic(const Problem& problem, int, PrepareContext&);

}  // namespace tamis::cuda
