// Convolution with a 2:4 weight by sparse warpgroup products, on Hopper: pointwise ones as products, others as implicit
// products whose rows the copy engine gathers (im2col mode).
#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {
namespace {

// What the copy engine's maps can express.
Status CheckImage(const ImageSource& image) {
  const auto far_corner = [](int out, int stride, int pad, int in) { return (out - 1) * stride - pad - (in - 1); };
  const int corners[] = {-image.pad_w, -image.pad_h, far_corner(image.out_w, image.stride_w, image.pad_w, image.in_w),
                         far_corner(image.out_h, image.stride_h, image.pad_h, image.in_h)};
  for (const int corner : corners) {
    if (corner < -128 || corner > 127)
      return UserError("padding or kernel reach {} beyond the image; 127 at most", corner);
  }
  if (image.stride_w > 8 || image.stride_h > 8) return UserError("a stride is above 8");
  if ((image.kernel_w - 1) * image.dilation_w > 255 || (image.kernel_h - 1) * image.dilation_h > 255) {
    return UserError("the kernel spans more than 256 pixels");
  }
  return {};
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, ReadConv24(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24Wgmma(gemm, context.device()));
  if (gemm.OfImages()) TAMIS_RETURN_IF_ERROR(CheckImage(gemm.image));
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
