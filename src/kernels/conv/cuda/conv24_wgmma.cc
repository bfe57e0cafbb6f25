// Convolution with a 2:4 weight by sparse warpgroup products, on Hopper: pointwise ones as products, others as implicit
// products whose rows the copy engine gathers (im2col mode).
#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem));
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(gemm, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem));
  return PrepareGemm24(kGemm24Wgmma, gemm, problem, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv24_wgmma = {.name = "conv24_wgmma",
                                                       .family = "conv",
                                                       .ops = {"ChannelsLastConv"},
                                                       .compute = 90,
                                                       .preference = 10,
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
