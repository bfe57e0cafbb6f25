// Linear with a 2:4 weight by sparse warp products: few rows on every GPU, any number before Hopper.
#include "src/kernels/gemm/cuda/cuda_gemm24.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadGemm24(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24Mma(gemm, context.device()));
  return CountGemm24(kGemm24Mma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadGemm24(problem));
  return PrepareGemm24(kGemm24Mma, gemm, problem, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_gemm24_mma = {.name = "gemm24_mma",
                                                     .family = "gemm",
                                                     .ops = {"Linear"},
                                                     .compute = 80,
                                                     .preference = 8,
                                                     .supports = Supports,
                                                     .prepare = Prepare};

}  // namespace tamis::cuda
