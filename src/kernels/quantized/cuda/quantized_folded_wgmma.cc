// The first convolution of an int8 network by warpgroup products of codes, on Hopper: as conv_folded_wgmma, the images
// quantised while they are folded. The padding is written there too, so that it may have any code. Where the kernel is
// higher than the stride, a folded pixel holds the rows of as many strides as fill the 128 bytes that are fetched at
// once (7 x 7 by strides of 2 over 3 channels: 4 rows of 2 pixels, in 2 steps of 128 codes); its lines overlap.
#include "src/kernels/conv/cuda/cuda_conv24.h"
#include "src/kernels/conv/cuda/fold_weight.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/code_tiles.h"
#include "src/kernels/quantized/cuda/cuda_int8.h"

namespace tamis::cuda {
namespace {

struct Folded {
  CudaInt8 int8;
  FoldImageArgs fold;
  Gemm24Problem gemm;
  int run = 0;  // codes of one row of the kernel
};

Result<Folded> Read(const Problem& problem, const Device& device) {
  Folded folded;
  TAMIS_ASSIGN_OR_RETURN(folded.int8, ReadCudaInt8(problem));
  const CudaConv& conv = folded.int8.conv;
  TAMIS_RETURN_IF_ERROR(CheckInt8Wgmma(folded.int8, device));
  if (conv.dilation_h != 1 || conv.dilation_w != 1) return UserError("dilations");
  if (folded.int8.types.residual != DType::kUndefined) return UserError("a residual");
  if (conv.batch > 65535) return UserError("more than 65535 images");
  FoldImageArgs& fold = folded.fold;
  fold.batch = conv.batch, fold.channels = conv.channels, fold.in_h = conv.in_h, fold.in_w = conv.in_w;
  fold.step_h = conv.stride_h, fold.fold_w = conv.stride_w, fold.pad_h = conv.pad_h, fold.pad_w = conv.pad_w;
  const int kernel_w = CeilDiv(conv.kernel_w, conv.stride_w);
  const auto pitch = [&](int strides) {
    return CeilDiv(conv.channels * conv.stride_h * strides * conv.stride_w, 16) * 16;
  };
  int strides = 1;
  while (strides * conv.stride_h < conv.kernel_h && kernel_w * pitch(strides + 1) <= 128) ++strides;
  fold.fold_h = strides * conv.stride_h;
  fold.pitch = pitch(strides);
  if (fold.pitch > kMostFolded) return UserError("{} channels of a folded pixel; {} at most", fold.pitch, kMostFolded);
  fold.codes = folded.int8.types.x_unsigned ? DType::kUInt8 : DType::kInt8;
  fold.scale = folded.int8.x_scale;
  fold.zero = folded.int8.x_zero;
  const int kernel_h = CeilDiv(conv.kernel_h, fold.fold_h);
  folded.run = kernel_w * fold.pitch;
  fold.out_h = conv.out_h + (kernel_h - 1) * strides;
  fold.out_w = conv.out_w + kernel_w - 1;
  folded.gemm = Int8Gemm(folded.int8);
  folded.gemm.depth = folded.run / 2;
  ImageSource& image = folded.gemm.image;
  image.batch = conv.batch, image.channels = folded.run / 2;
  image.in_h = fold.out_h, image.in_w = conv.out_w, image.out_h = conv.out_h, image.out_w = conv.out_w;
  image.kernel_h = kernel_h;
  image.dilation_h = strides;
  image.pixel_pitch = fold.pitch / 2;
  image.line_pitch = image.pixel_pitch * fold.out_w;
  image.image_pitch = image.line_pitch * fold.out_h;
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(folded.gemm, device));
  return folded;
}

class QuantizedFolded : public CudaKernel {
 public:
  QuantizedFolded(Folded folded, Gemm24Tactic tactic, std::shared_ptr<const DeviceBytes> weight,
                  std::shared_ptr<const DeviceBytes> channels, std::shared_ptr<const DeviceBytes> table)
      : folded_(std::move(folded)),
        tactic_(tactic),
        weight_(std::move(weight)),
        channels_(std::move(channels)),
        table_(std::move(table)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }
  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(folded_.gemm.image.image_pitch) * static_cast<size_t>(folded_.fold.batch) * 2;
  }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    FoldImageArgs fold = folded_.fold;
    fold.x = static_cast<const float*>(in[0]);
    fold.y = workspace;
    TAMIS_RETURN_IF_ERROR(CudaStatus(LaunchFoldImage(fold, stream), "folding images"));
    Gemm24Operands operands{workspace, weight_->data(), nullptr, nullptr, out[0]};
    operands.channels = static_cast<const Int8Channel*>(channels_->data());
    TAMIS_RETURN_IF_ERROR(CudaStatus(Gemm24Wgmma(folded_.gemm, tactic_, operands, MayOverlapLaunches(), stream),
                                     "quantized_folded_wgmma"));
    return ExchangeCodes(table_.get(), out[0], folded_.gemm.rows * folded_.gemm.outputs, stream);
  }

 private:
  Folded folded_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Folded folded, Read(problem, context.device()));
  return CountGemm24(kGemm24Wgmma, folded.gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(Folded folded, Read(problem, context.device()));
  const Gemm24Tactic tactic =
      Gemm24WgmmaTactics(folded.gemm, context.device().multiprocessors)[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(folded.gemm, tactic));
  const int64_t outputs = folded.gemm.outputs, runs = folded.gemm.Runs(), run = folded.run;
  const std::string packing = fmt::format("folded codes {} {} {}", folded.fold.fold_h, folded.fold.fold_w, run);
  TAMIS_ASSIGN_OR_RETURN(
      auto weight,
      context.Packed(problem.input(1).constant_hash, packing, CodeTilesBytes(outputs, runs, run), [&](std::byte* to) {
        PackCodeTiles(FoldWeight<int8_t>(problem, folded.fold, folded.gemm.Runs(), folded.run).data(), outputs, runs,
                      run, to);
      }));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, folded.int8, true, context));
  TAMIS_ASSIGN_OR_RETURN(auto table, HoldTable(problem, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<QuantizedFolded>(std::move(folded), tactic, std::move(weight),
                                                                       std::move(channels), std::move(table)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_folded_wgmma = {.name = "quantized_folded_wgmma",
                                                                 .family = "quantized",
                                                                 .ops = {"QuantizedChannelsFirstConv"},
                                                                 .compute = 90,
                                                                 .preference = 15,
                                                                 .supports = Supports,
                                                                 .prepare = Prepare};

}  // namespace tamis::cuda
