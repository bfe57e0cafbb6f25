#include "src/kernels/cuda/find_kernels.h"

#include <algorithm>

namespace tamis::cuda {

std::vector<FoundKernel> FindKernels(const Problem& problem, PrepareContext& context) {
  std::vector<FoundKernel> found;
  for (const CudaKernelDef* def : AllCudaKernels()) {
    if (std::find(def->ops.begin(), def->ops.end(), problem.node->op) == def->ops.end()) continue;
    if (context.device().compute < def->compute) continue;
    const Result<int> variants = def->supports(problem, context);
    for (int i = 0; variants.ok() && i < *variants; ++i) found.push_back({def, i});
  }
  return found;
}

}  // namespace tamis::cuda
