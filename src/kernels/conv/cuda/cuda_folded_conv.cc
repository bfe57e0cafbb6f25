#include "src/kernels/conv/cuda/cuda_folded_conv.h"

#include <fmt/format.h>

#include "src/kernels/conv/cuda/fold_weight.h"
#include "src/kernels/gemm/dense_tiles.h"

namespace tamis::cuda {

FoldedConv::FoldedConv(const CudaConv& conv) {
  fold.batch = conv.batch, fold.channels = conv.channels, fold.in_h = conv.in_h, fold.in_w = conv.in_w;
  fold.fold_w = conv.stride_w, fold.pad_h = conv.pad_h, fold.pad_w = conv.pad_w;
}

void FoldedConv::SetImage(const CudaConv& conv, int kernel_h, int packed) {
  ImageSource& image = gemm.image;
  image.batch = conv.batch, image.channels = static_cast<int>(run) / packed;
  image.in_h = fold.out_h, image.in_w = conv.out_w, image.out_h = conv.out_h, image.out_w = conv.out_w;
  image.kernel_h = kernel_h;
  image.pixel_pitch = fold.pitch / packed;
  image.line_pitch = image.pixel_pitch * fold.out_w;
  image.image_pitch = image.line_pitch * fold.out_h;
}

size_t FoldedConv::ImageBytes() const {
  return static_cast<size_t>(gemm.image.image_pitch) * static_cast<size_t>(fold.batch) * 2;
}

Status FoldedConv::Fold(const void* x, void* images, cudaStream_t stream) const {
  FoldImageArgs args = fold;
  args.x = static_cast<const float*>(x);
  args.y = images;
  return CudaStatus(LaunchFoldImage(args, stream), "folding images");
}

Status CheckFoldable(const CudaConv& conv) {
  if (conv.group != 1 || conv.dilation_h != 1 || conv.dilation_w != 1) return UserError("groups or dilations");
  if (conv.residual) return UserError("a residual");
  if (conv.batch > 65535) return UserError("more than 65535 images");
  return {};
}

Result<FoldedConv> FoldConv(const Problem& problem, const Device& device) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24(problem, true));
  TAMIS_RETURN_IF_ERROR(CheckFoldable(conv));
  FoldedConv folded(conv);
  FoldImageArgs& fold = folded.fold;
  fold.fold_h = conv.stride_h;
  fold.pitch = CeilDiv(conv.channels * conv.stride_h * conv.stride_w, 8) * 8;
  if (fold.pitch > kMostFolded) return UserError("{} channels of a folded pixel; {} at most", fold.pitch, kMostFolded);
  const int kernel_h = CeilDiv(conv.kernel_h, conv.stride_h), kernel_w = CeilDiv(conv.kernel_w, conv.stride_w);
  const int run = CeilDiv(kernel_w * fold.pitch, 64) * 64;
  folded.run = run;
  fold.out_h = conv.out_h + kernel_h - 1;
  fold.out_w = conv.out_w - 1 + CeilDiv(run, fold.pitch);
  folded.gemm = {conv.Rows(), conv.outputs, run, false, conv.activation, {}, true};
  folded.SetImage(conv, kernel_h, 1);
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(folded.gemm, device));
  return folded;
}

Result<std::shared_ptr<const DeviceBytes>> HoldFoldedWeight(const Problem& problem, const FoldedConv& folded,
                                                            PrepareContext& context) {
  const int64_t outputs = folded.gemm.outputs, runs = folded.gemm.Runs(), run = folded.run;
  const std::string packing = fmt::format("folded {} {} {}", folded.fold.fold_h, folded.fold.fold_w, run);
  return context.Packed(
      problem.input(1).constant_hash, packing, DenseTilesBytes(outputs, runs, run), [&](std::byte* to) {
        PackDenseTiles(FoldWeight<uint16_t>(problem, folded.fold, runs, run).data(), outputs, runs, run, to);
      });
}

}  // namespace tamis::cuda
