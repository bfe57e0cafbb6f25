#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {

Result<Gemm24Problem> ReadConv24(const Problem& problem) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24(problem));
  if (conv.group != 1) return UserError("{} groups; the kernel takes one", conv.group);
  Gemm24Problem gemm{conv.Rows(), conv.outputs, conv.channels, false, conv.activation, {}};
  if (conv.Pointwise()) return gemm;
  ImageSource& image = gemm.image;
  image.batch = conv.batch, image.channels = conv.channels;
  image.in_h = conv.in_h, image.in_w = conv.in_w, image.out_h = conv.out_h, image.out_w = conv.out_w;
  image.kernel_h = conv.kernel_h, image.kernel_w = conv.kernel_w;
  image.stride_h = conv.stride_h, image.stride_w = conv.stride_w;
  image.pad_h = conv.pad_h, image.pad_w = conv.pad_w;
  image.dilation_h = conv.dilation_h, image.dilation_w = conv.dilation_w;
  return gemm;
}

}  // namespace tamis::cuda
