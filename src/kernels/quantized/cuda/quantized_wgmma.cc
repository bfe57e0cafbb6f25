// QuantizedLinear and QuantizedConv by warpgroup products of codes, on Hopper: x by the copy engine, of images in its
// im2col mode; sums in int32; scale, bias, residual, activation and codes again in the epilogue.
#include "src/kernels/quantized/cuda/cuda_quantized_wgmma.h"

namespace tamis::cuda {
namespace {

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  return CountQuantizedWgmma(problem, Pattern::kDense, context);
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  return PrepareQuantizedWgmma(problem, Pattern::kDense, variant, context);
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_wgmma = {.name = "quantized_wgmma",
                                                          .family = "quantized",
                                                          .ops = {"QuantizedLinear", "QuantizedConv"},
                                                          .compute = 90,
                                                          .preference = 15,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
