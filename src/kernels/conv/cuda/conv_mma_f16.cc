// Convolution as a matrix product whose left operand is gathered on the way (implicit product), by warp or
// warpgroup products.
#include <cstring>

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/gemm/cuda/cuda_mma_choice.h"

namespace tamis::cuda {
namespace {

constexpr size_t kVariants = 10;

// Where the gathered operand comes from, and the depth that follows.
Result<MmaSource> SourceOf(const Problem& problem, const CudaConv& conv) {
  if (problem.node->op == "ChannelsFirstConv") {
    if (conv.kernel_w > 8) return UserError("a kernel {} wide over planes; 8 at most", conv.kernel_w);
    return MmaSource::kPlanes;
  }
  if (conv.group != 1) return UserError("{} groups; the kernel takes one", conv.group);
  if (conv.channels % 8 == 0) return conv.Pointwise() ? MmaSource::kRows : MmaSource::kPixels;
  if (conv.dilation_w == 1 && conv.channels < 8) return MmaSource::kRuns;
  return UserError("{} channels: neither a multiple of 8 nor a few without dilation", conv.channels);
}

// Elements of one row of the window, padded.
int RunLength(const CudaConv& conv, MmaSource source) {
  if (source == MmaSource::kPlanes) return conv.channels * 8;
  return (conv.kernel_w * conv.channels + 7) / 8 * 8;
}

int DepthOf(const CudaConv& conv, MmaSource source) {
  const bool padded = source == MmaSource::kRuns || source == MmaSource::kPlanes;
  return conv.kernel_h * (padded ? RunLength(conv, source) : conv.kernel_w * conv.channels);
}

class ConvMma : public CudaKernel {
 public:
  ConvMma(const CudaConv& conv, MmaSource source, MmaChoice choice, std::shared_ptr<const DeviceBytes> weight)
      : source_(source), choice_(choice), weight_(std::move(weight)) {
    args_.SetGeometry(conv);
    args_.rows = conv.Rows();
    args_.outputs = conv.outputs;
    args_.depth = DepthOf(conv, source);
    args_.residual_f32 = conv.residual_f32;
    args_.output_f32 = conv.output_f32;
    args_.activation = conv.activation;
  }

  uint64_t PackedInputs() const override { return weight_ ? uint64_t{1} << 1 : 0; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    MmaArgs args = args_;
    args.x = in[0];
    args.w = weight_ ? weight_->data() : in[1];
    args.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    args.residual = in.size() > 3 ? in[3] : nullptr;
    args.y = out[0];
    cudaError_t error = cudaSuccess;
    switch (source_) {
      case MmaSource::kRows:
        error = LaunchChoice<MmaSource::kRows>(choice_, args, stream);
        break;
      case MmaSource::kPixels:
        error = LaunchChoice<MmaSource::kPixels>(choice_, args, stream);
        break;
      case MmaSource::kRuns:
        error = LaunchMma<MmaSource::kRuns>(choice_, args, stream);
        break;
      case MmaSource::kPlanes:
        error = LaunchMma<MmaSource::kPlanes>(choice_, args, stream);
        break;
    }
    return CudaStatus(error, "conv_mma_f16");
  }

 private:
  MmaArgs args_;
  MmaSource source_;
  MmaChoice choice_;
  std::shared_ptr<const DeviceBytes> weight_;  // null: as it is
};

// [outputs, kernel_h, kernel_w * channels] with every run padded with zeros.
Result<std::shared_ptr<const DeviceBytes>> PadRuns(const Problem& problem, const CudaConv& conv,
                                                   PrepareContext& context) {
  const size_t run = static_cast<size_t>(conv.kernel_w * conv.channels) * 2;
  const size_t padded = static_cast<size_t>(RunLength(conv, MmaSource::kRuns)) * 2;
  const size_t runs = static_cast<size_t>(conv.outputs) * static_cast<size_t>(conv.kernel_h);
  return context.Packed(problem.input(1).constant_hash, "conv_mma_f16/runs", runs * padded, [&](std::byte* to) {
    std::memset(to, 0, runs * padded);
    for (size_t i = 0; i < runs; ++i) std::memcpy(to + i * padded, problem.input(1).constant->raw() + i * run, run);
  });
}

// [outputs, kernel_h, channels, 8]: the weights of one row of the window and one channel side by side.
Result<std::shared_ptr<const DeviceBytes>> PadPlanes(const Problem& problem, const CudaConv& conv,
                                                     PrepareContext& context) {
  const auto rows = static_cast<size_t>(conv.outputs * conv.kernel_h);
  const auto channels = static_cast<size_t>(conv.channels);
  const auto width = static_cast<size_t>(conv.kernel_w);
  const size_t bytes = rows * channels * 8 * 2;
  return context.Packed(problem.input(1).constant_hash, "conv_mma_f16/planes", bytes, [&](std::byte* to) {
    std::memset(to, 0, bytes);
    const auto* from = problem.input(1).constant->Data<uint16_t>();
    auto* packed = reinterpret_cast<uint16_t*>(to);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t s = 0; s < width; ++s) {
        for (size_t c = 0; c < channels; ++c) packed[(r * channels + c) * 8 + s] = from[(r * width + s) * channels + c];
      }
    }
  });
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_ASSIGN_OR_RETURN(const MmaSource source, SourceOf(problem, conv));
  const auto choices =
      MmaChoices(context.device(), source, conv.Rows(), conv.outputs, DepthOf(conv, source), kVariants);
  if (choices.empty()) return UserError("the GPU's shared memory is too small");
  return static_cast<int>(choices.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, ReadCudaConv(problem));
  TAMIS_ASSIGN_OR_RETURN(const MmaSource source, SourceOf(problem, conv));
  const auto choices =
      MmaChoices(context.device(), source, conv.Rows(), conv.outputs, DepthOf(conv, source), kVariants);
  const MmaChoice choice = choices[static_cast<size_t>(variant)];
  std::shared_ptr<const DeviceBytes> weight;
  switch (source) {
    case MmaSource::kRows:
      TAMIS_CUDA_RETURN_IF_ERROR(PrepareChoice<MmaSource::kRows>(choice));
      break;
    case MmaSource::kPixels:
      TAMIS_CUDA_RETURN_IF_ERROR(PrepareChoice<MmaSource::kPixels>(choice));
      break;
    case MmaSource::kRuns: {
      TAMIS_CUDA_RETURN_IF_ERROR(PrepareMma<MmaSource::kRuns>(choice));
      TAMIS_ASSIGN_OR_RETURN(weight, PadRuns(problem, conv, context));
      break;
    }
    case MmaSource::kPlanes: {
      TAMIS_CUDA_RETURN_IF_ERROR(PrepareMma<MmaSource::kPlanes>(choice));
      TAMIS_ASSIGN_OR_RETURN(weight, PadPlanes(problem, conv, context));
      break;
    }
  }
  return std::unique_ptr<CudaKernel>(std::make_unique<ConvMma>(conv, source, choice, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_mma_f16 = {.name = "conv_mma_f16",
                                                       .family = "conv",
                                                       .ops = {"ChannelsLastConv", "ChannelsFirstConv"},
                                                       .preference = 20,
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
