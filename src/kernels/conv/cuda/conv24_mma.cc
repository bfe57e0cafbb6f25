// Pointwise convolution with a 2:4 weight by sparse warp products.
#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem));
  if (gemm.OfImages()) return UserError("the kernel takes pointwise convolutions only");
  TAMIS_RETURN_IF_ERROR(CheckGemm24Mma(gemm, context.device()));
  return CountGemm24(kGemm24Mma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem));
  return PrepareGemm24(kGemm24Mma, gemm, problem, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv24_mma = {.name = "conv24_mma",
                                                     .family = "conv",
                                                     .ops = {"ChannelsLastConv"},
                                                     .compute = 80,
                                                     .preference = 8,
                                                     .supports = Supports,
                                                     .prepare = Prepare};

}  // namespace tamis::cuda
