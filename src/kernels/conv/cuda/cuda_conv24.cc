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

}  // namespace

Status CheckConvWgmma(const Gemm24Problem& gemm, const Device& device) {
  TAMIS_RETURN_IF_ERROR(CheckGemm24Wgmma(gemm, device));
  return gemm.OfImages() ? CheckImage(gemm.image) : Status();
}

ImageSource ImageOf(const CudaConv& conv) {
  ImageSource image;
  image.SetGeometry(conv);
  return image;
}

Result<Gemm24Problem> ReadConv24(const Problem& problem, bool dense) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24(problem, dense));
  if (conv.group != 1) return UserError("{} groups; the kernel takes one", conv.group);
  Gemm24Problem gemm{conv.Rows(), conv.outputs, conv.channels, false, conv.activation, {}, dense};
  if (conv.Pointwise()) return gemm;
  gemm.image = ImageOf(conv);
  return gemm;
}

}  // namespace tamis::cuda
