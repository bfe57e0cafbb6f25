// Linear with a dense weight by warpgroup products, on Hopper: blocks fed by the copy engine, every epilogue fused.
#include "src/kernels/gemm/cuda/cuda_gemm24.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadGemm24(problem, true));
  TAMIS_RETURN_IF_ERROR(CheckGemm24Wgmma(gemm, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadGemm24(problem, true));
  return PrepareGemm24(kGemm24Wgmma, gemm, problem, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_linear_wgmma = {.name = "linear_wgmma",
                                                       .family = "gemm",
                                                       .ops = {"Linear"},
                                                       .compute = 90,
                                                       .preference = 15,
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
