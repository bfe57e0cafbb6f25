// Float8Linear with a 2:4 weight, by sparse warpgroup products.
#include "src/kernels/float8/cuda/cuda_float8.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  return CountFloat8Wgmma(problem, Pattern::kTwoFour, context);
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  return PrepareFloat8Wgmma(problem, Pattern::kTwoFour, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_float8_sparse_wgmma = {.name = "float8_sparse_wgmma",
                                                              .family = "float8",
                                                              .ops = {"Float8Linear"},
                                                              .compute = 90,
                                                              .preference = 14,
                                                              .supports = Supports,
                                                              .prepare = Prepare};

}  // namespace tamis::cuda
