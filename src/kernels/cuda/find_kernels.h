// The kernels of one part of a fused node, for kernels that run it as what it was made of.
#pragma once

#include <vector>

#include "src/kernels/cuda/cuda_kernel.h"

namespace tamis::cuda {

struct FoundKernel {
  const CudaKernelDef* def = nullptr;
  int variant = 0;
};
// All variants that can compute the problem, one kernel after the other in their order of preference.
std::vector<FoundKernel> FindKernels(const Problem& problem, PrepareContext& context);

// The workspace of a pair of kernels begins with the first one's own; what it hands on comes behind.
inline size_t PlaceOfHandedOn(const CudaKernel& first) {
  return (first.WorkspaceBytes() + 255) / 256 * 256;
}

}  // namespace tamis::cuda
