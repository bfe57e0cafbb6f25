// Float8Linear by warpgroup products, on Hopper: x by the copy engine, scales, bias, residual and activation in the
// epilogue.
#include "src/kernels/float8/cuda/cuda_float8.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  return CountFloat8Wgmma(problem, Pattern::kDense, context);
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  return PrepareFloat8Wgmma(problem, Pattern::kDense, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_float8_wgmma = {.name = "float8_wgmma",
                                                       .family = "float8",
                                                       .ops = {"Float8Linear"},
                                                       .compute = 90,
                                                       .preference = 15,
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
