#include "src/kernels/quantized/cuda/cuda_folded_codes.h"

#include <fmt/format.h>

#include "src/kernels/conv/cuda/fold_weight.h"
#include "src/kernels/gemm/code_tiles.h"

namespace tamis::cuda {

Result<FoldedConv> FoldQuantizedConv(const CudaInt8& int8, const Device& device) {
  const CudaConv& conv = int8.conv;
  TAMIS_RETURN_IF_ERROR(CheckInt8Wgmma(int8, device));
  TAMIS_RETURN_IF_ERROR(CheckFoldable(conv));
  if (int8.types.residual != DType::kUndefined) return UserError("a residual");
  FoldedConv folded(conv);
  FoldImageArgs& fold = folded.fold;
  fold.step_h = conv.stride_h;
  const int kernel_w = CeilDiv(conv.kernel_w, conv.stride_w);
  const auto pitch = [&](int strides) {
    return CeilDiv(conv.channels * conv.stride_h * strides * conv.stride_w, 16) * 16;
  };
  int strides = 1;
  while (strides * conv.stride_h < conv.kernel_h && kernel_w * pitch(strides + 1) <= 128) ++strides;
  fold.fold_h = strides * conv.stride_h;
  fold.pitch = pitch(strides);
  if (fold.pitch > kMostFolded) return UserError("{} channels of a folded pixel; {} at most", fold.pitch, kMostFolded);
  fold.codes = int8.types.x_unsigned ? DType::kUInt8 : DType::kInt8;
  fold.scale = int8.x_scale;
  fold.zero = int8.x_zero;
  const int kernel_h = CeilDiv(conv.kernel_h, fold.fold_h);
  folded.run = kernel_w * fold.pitch;
  fold.out_h = conv.out_h + (kernel_h - 1) * strides;
  fold.out_w = conv.out_w + kernel_w - 1;
  folded.gemm = Int8Gemm(int8);
  folded.gemm.depth = folded.run / 2;
  folded.SetImage(conv, kernel_h, 2);
  folded.gemm.image.dilation_h = strides;
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(folded.gemm, device));
  return folded;
}

Result<std::shared_ptr<const DeviceBytes>> HoldFoldedCodes(const Problem& problem, const FoldedConv& folded,
                                                           PrepareContext& context) {
  const int64_t outputs = folded.gemm.outputs, runs = folded.gemm.Runs(), run = folded.run;
  const std::string packing = fmt::format("folded codes {} {} {}", folded.fold.fold_h, folded.fold.fold_w, run);
  return context.Packed(
      problem.input(1).constant_hash, packing, CodeTilesBytes(outputs, runs, run), [&](std::byte* to) {
        PackCodeTiles(FoldWeight<int8_t>(problem, folded.fold, runs, run).data(), outputs, runs, run, to);
      });
}

}  // namespace tamis::cuda
