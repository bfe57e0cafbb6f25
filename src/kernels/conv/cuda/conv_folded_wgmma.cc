// The first convolution of a network by warpgroup products, on Hopper. Its images have too few channels for tensor
// cores to read, so they are folded: as many neighbouring pixels as the stride skips become one pixel with the channels
// of all, and the convolution one of stride 1 with a smaller kernel (7 x 7 by strides of 2 over 3 channels: 4 x 4 over
// 12). Its kernel's pixels of a row lie side by side in memory, so one row of the kernel is read as one run of channels
// of images whose pixels overlap.
#include <algorithm>

#include "src/base/float16.h"
#include "src/kernels/conv/cuda/cuda_conv24.h"
#include "src/kernels/conv/cuda/fold_weight.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/dense_tiles.h"

namespace tamis::cuda {
namespace {

constexpr size_t kVariants = 6;

struct Folded {
  FoldImageArgs fold;
  Gemm24Problem gemm;
  int kernel_w = 0;  // in folded pixels
};

Result<Folded> Read(const Problem& problem, const Device& device) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_RETURN_IF_ERROR(CheckGemm24(problem, true));
  if (conv.group != 1 || conv.dilation_h != 1 || conv.dilation_w != 1) return UserError("groups or dilations");
  if (conv.residual) return UserError("a residual");
  Folded folded;
  FoldImageArgs& fold = folded.fold;
  fold.batch = conv.batch, fold.channels = conv.channels, fold.in_h = conv.in_h, fold.in_w = conv.in_w;
  fold.fold_h = conv.stride_h, fold.fold_w = conv.stride_w, fold.pad_h = conv.pad_h, fold.pad_w = conv.pad_w;
  fold.pitch = CeilDiv(conv.channels * conv.stride_h * conv.stride_w, 8) * 8;
  if (fold.pitch > kMostFolded) return UserError("{} channels of a folded pixel; {} at most", fold.pitch, kMostFolded);
  if (conv.batch > 65535) return UserError("more than 65535 images");
  const int kernel_h = CeilDiv(conv.kernel_h, conv.stride_h);
  folded.kernel_w = CeilDiv(conv.kernel_w, conv.stride_w);
  const int run = CeilDiv(folded.kernel_w * fold.pitch, 64) * 64;
  fold.out_h = conv.out_h + kernel_h - 1;
  fold.out_w = conv.out_w - 1 + CeilDiv(run, fold.pitch);
  folded.gemm = {conv.Rows(), conv.outputs, run, false, conv.activation, {}, true};
  ImageSource& image = folded.gemm.image;
  image.batch = conv.batch, image.channels = run;
  image.in_h = fold.out_h, image.in_w = conv.out_w, image.out_h = conv.out_h, image.out_w = conv.out_w;
  image.kernel_h = kernel_h;
  image.pixel_pitch = fold.pitch;
  image.line_pitch = image.pixel_pitch * fold.out_w;
  image.image_pitch = image.line_pitch * fold.out_h;
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(folded.gemm, device));
  return folded;
}

class ConvFolded : public CudaKernel {
 public:
  ConvFolded(Folded folded, Gemm24Tactic tactic, std::shared_ptr<const DeviceBytes> weight)
      : folded_(std::move(folded)), tactic_(tactic), weight_(std::move(weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }
  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(folded_.gemm.image.image_pitch) * static_cast<size_t>(folded_.fold.batch) * 2;
  }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    FoldImageArgs fold = folded_.fold;
    fold.x = static_cast<const float*>(in[0]);
    fold.y = workspace;
    TAMIS_RETURN_IF_ERROR(CudaStatus(LaunchFoldImage(fold, stream), "folding images"));
    const Gemm24Operands operands{workspace, weight_->data(),
                                  in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr, nullptr, out[0]};
    return CudaStatus(Gemm24Wgmma(folded_.gemm, tactic_, operands, MayOverlapLaunches(), stream), "conv_folded_wgmma");
  }

 private:
  Folded folded_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_;
};

std::vector<Gemm24Tactic> Tactics(const Folded& folded, const Device& device) {
  auto tactics = Gemm24WgmmaTactics(folded.gemm, device.multiprocessors);
  if (tactics.size() > kVariants) tactics.resize(kVariants);
  return tactics;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Folded folded, Read(problem, context.device()));
  return static_cast<int>(Tactics(folded, context.device()).size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(Folded folded, Read(problem, context.device()));
  const Gemm24Tactic tactic = Tactics(folded, context.device())[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(folded.gemm, tactic));
  const int64_t outputs = folded.gemm.outputs, runs = folded.gemm.Runs(), run = folded.gemm.depth;
  const std::string packing = fmt::format("folded {} {} {}", folded.fold.fold_h, folded.fold.fold_w, run);
  TAMIS_ASSIGN_OR_RETURN(
      auto weight,
      context.Packed(problem.input(1).constant_hash, packing, DenseTilesBytes(outputs, runs, run), [&](std::byte* to) {
        PackDenseTiles(FoldWeight<uint16_t>(problem, folded.fold, folded.gemm.Runs(), folded.gemm.depth).data(),
                       outputs, runs, run, to);
      }));
  return std::unique_ptr<CudaKernel>(std::make_unique<ConvFolded>(std::move(folded), tactic, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_folded_wgmma = {.name = "conv_folded_wgmma",
                                                            .family = "conv",
                                                            .ops = {"ChannelsFirstConv"},
                                                            .compute = 90,
                                                            .preference = 15,
                                                            .supports = Supports,
                                                            .prepare = Prepare};

}  // namespace tamis::cuda
