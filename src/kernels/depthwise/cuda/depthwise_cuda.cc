// Depthwise convolution (one filter a channel), f16, bf16 or f32. The first two variants compute strips of four and of
// two outputs a thread, where the kernel is one of the usual ones (depthwise_strips.cu); the last one takes all.
#include <cstring>

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/pool/cuda/slide_window.h"

namespace tamis::cuda {
namespace {

class Depthwise : public CudaKernel {
 public:
  // `strip` 0: an output a thread.
  Depthwise(const WindowArgs& args, int strip, std::shared_ptr<const DeviceBytes> weight)
      : args_(args), strip_(strip), weight_(std::move(weight)) {}
  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    WindowArgs args = args_;
    args.x = in[0];
    args.w = weight_->data();
    args.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    args.residual = in.size() > 3 ? in[3] : nullptr;
    args.y = out[0];
    return CudaStatus(strip_ > 0 ? LaunchStrips(args, strip_, stream) : LaunchWindow(args, stream), "depthwise_cuda");
  }

 private:
  WindowArgs args_;
  int strip_;
  std::shared_ptr<const DeviceBytes> weight_;
};

Result<CudaConv> Read(const Problem& problem) {
  const DType x = problem.input(0).dtype;
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem, IsComputedFloat(x) ? x : DType::kFloat16));
  if (conv.group != conv.channels || conv.outputs != conv.channels) return UserError("not one filter for each channel");
  return conv;
}

WindowArgs ArgsOf(const CudaConv& conv) {
  WindowArgs args;
  args.kind = WindowKind::kDepthwise;
  args.SetGeometry(conv);
  args.x_dtype = conv.dtype;
  args.y_dtype = conv.output_f32 ? DType::kFloat32 : conv.dtype;
  args.residual_dtype = conv.residual_f32 ? DType::kFloat32 : conv.dtype;
  args.activation = conv.activation;
  return args;
}

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, Read(problem));
  if (conv.batch == 0) return 0;
  return TakesStrips(ArgsOf(conv)) ? 3 : 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, Read(problem));
  const WindowArgs args = ArgsOf(conv);
  const int strip = !TakesStrips(args) || variant == 2 ? 0 : variant == 0 ? 4 : 2;
  // [channels, taps] becomes [taps, channels], so that neighbouring lanes read neighbouring weights.
  const auto taps = static_cast<size_t>(conv.kernel_h * conv.kernel_w);
  const auto channels = static_cast<size_t>(conv.channels);
  const std::byte* from = problem.input(1).constant->raw();
  const size_t size = ByteSize(conv.dtype, 1);
  TAMIS_ASSIGN_OR_RETURN(
      auto weight,
      context.Packed(problem.input(1).constant_hash, "depthwise_cuda", taps * channels * size, [&](std::byte* to) {
        for (size_t c = 0; c < channels; ++c) {
          for (size_t t = 0; t < taps; ++t) {
            std::memcpy(to + (t * channels + c) * size, from + (c * taps + t) * size, size);
          }
        }
      }));
  return std::unique_ptr<CudaKernel>(std::make_unique<Depthwise>(args, strip, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_depthwise_cuda = {.name = "depthwise_cuda",
                                                         .family = "depthwise",
                                                         .ops = {"ChannelsLastConv"},
                                                         .preference = 10,
                                                         .supports = Supports,
                                                         .prepare = Prepare};

}  // namespace tamis::cuda
