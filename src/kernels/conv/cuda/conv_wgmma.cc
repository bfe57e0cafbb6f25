// Convolution with a dense weight by warpgroup products, on Hopper: as conv24_wgmma, with every epilogue fused.
#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem, true));
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(gemm, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem, true));
  return PrepareGemm24(kGemm24Wgmma, gemm, problem, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_wgmma = {.name = "conv_wgmma",
                                                     .family = "conv",
                                                     .ops = {"ChannelsLastConv"},
                                                     .compute = 90,
                                                     .preference = 15,
                                                     .supports = Supports,
                                                     .prepare = Prepare};

}  // namespace tamis::cuda
