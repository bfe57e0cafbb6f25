// QuantizedLinear and QuantizedConv with a 2:4 weight, by sparse warpgroup products of codes.
#include "src/kernels/quantized/cuda/cuda_quantized_wgmma.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  return CountQuantizedWgmma(problem, Pattern::kTwoFour, context);
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  return PrepareQuantizedWgmma(problem, Pattern::kTwoFour, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized24_wgmma = {.name = "quantized24_wgmma",
                                                            .family = "quantized",
                                                            .ops = {"QuantizedLinear", "QuantizedConv"},
                                                            .compute = 90,
                                                            .preference = 14,
                                                            .supports = Supports,
                                                            .prepare = Prepare};

}  // namespace tamis::cuda
