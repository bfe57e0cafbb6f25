#include "src/kernels/conv/cuda/cuda_conv.h"

#include <algorithm>

#include "src/ops/op_tf32.h"

namespace tamis::cuda {

Result<CudaConv> ReadConvGeometry(const Problem& problem, bool channels_first) {
  Dims x = problem.input(0).dims;
  if (channels_first) std::rotate(x.begin() + 1, x.begin() + 2, x.end());
  const Dims& w = problem.input(1).dims;
  const Dims& y = problem.outputs[0].dims;
  const Node& node = *problem.node;
  const size_t rank = x.size() - 2;
  if (rank != 1 && rank != 2) return UserError("images of {} axes; the kernel takes one or two", rank);
  const auto strides = node.Ints("strides"), pads = node.Ints("pads"), dilations = node.Ints("dilations");
  if (strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank) {
    return UserError("strides, pads and dilations don't fit images of {} axes", rank);
  }
  CudaConv conv;
  const auto set = [&](size_t axis, int* in, int* out, int* kernel, int* stride, int* pad, int* pad_end,
                       int* dilation) {
    *in = static_cast<int>(x[1 + axis]);
    *out = static_cast<int>(y[1 + axis]);
    *kernel = static_cast<int>(w[1 + axis]);
    *stride = static_cast<int>(strides[axis]);
    *pad = static_cast<int>(pads[axis]);
    *pad_end = static_cast<int>(pads[rank + axis]);
    *dilation = static_cast<int>(dilations[axis]);
  };
  if (rank == 2) {
    set(0, &conv.in_h, &conv.out_h, &conv.kernel_h, &conv.stride_h, &conv.pad_h, &conv.pad_h_end, &conv.dilation_h);
  }
  set(rank - 1, &conv.in_w, &conv.out_w, &conv.kernel_w, &conv.stride_w, &conv.pad_w, &conv.pad_w_end,
      &conv.dilation_w);
  conv.batch = static_cast<int>(x[0]);
  conv.channels = static_cast<int>(x.back());
  conv.outputs = static_cast<int>(w[0]);
  conv.group = static_cast<int>(node.Int("group", 1));
  return conv;
}

Result<CudaConv> ReadCudaConv(const Problem& problem, DType operands) {
  const bool channels_first = problem.node->op == "ChannelsFirstConv";
  TAMIS_RETURN_IF_ERROR(CheckProductOperands(problem, channels_first ? DType::kFloat32 : operands, operands));
  TAMIS_ASSIGN_OR_RETURN(CudaConv conv, ReadConvGeometry(problem, channels_first));
  conv.dtype = operands;
  conv.tf32 = AllowsTf32(*problem.node);
  conv.bias = problem.input(2).Present();
  conv.residual = problem.input(3).Present();
  conv.residual_f32 = problem.input(3).dtype == DType::kFloat32;
  conv.output_f32 = problem.outputs[0].dtype == DType::kFloat32;
  conv.activation = ReadActivation(*problem.node);
  if (operands == DType::kFloat32) TAMIS_RETURN_IF_ERROR(CheckF32Throughout(problem));
  return conv;
}

}  // namespace tamis::cuda
