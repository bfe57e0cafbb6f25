// Convolution of any groups, channels and dilation, f16, bf16 or f32: what no product kernel and no library takes, as a
// squeeze of ten channels, need not go to the CPU.
#include <cstring>

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/conv/cuda/direct_conv.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

class ConvDirect : public CudaKernel {
 public:
  ConvDirect(const DirectConvArgs& args, std::shared_ptr<const DeviceBytes> weight)
      : args_(args), weight_(std::move(weight)) {}
  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    DirectConvArgs args = args_;
    args.x = in[0];
    args.w = weight_->data();
    args.bias = in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr;
    args.residual = in.size() > 3 ? in[3] : nullptr;
    args.y = out[0];
    return CudaStatus(LaunchDirectConv(args, stream), "conv_direct");
  }

 private:
  DirectConvArgs args_;
  std::shared_ptr<const DeviceBytes> weight_;
};

Result<CudaConv> Read(const Problem& problem) {
  const DType x = problem.input(0).dtype;
  return ReadCudaConv(problem, IsComputedFloat(x) ? x : DType::kFloat16);
}

// Timing it where others are many times faster would take the tuner long.
Status LeaveToOthers(const CudaConv& conv, PrepareContext& context) {
  if (conv.group == conv.channels && conv.outputs == conv.channels) return UserError("depthwise_cuda takes it");
  const bool f16 = conv.dtype == DType::kFloat16;
  if (f16 && conv.group == 1 && (conv.channels % 8 == 0 || (conv.channels < 8 && conv.dilation_w == 1))) {
    return UserError("conv_mma_f16 takes it");
  }
  if (!f16 && conv.channels / conv.group % 8 == 0 && context.cudnn().ok()) return UserError("cuDNN takes it");
  return {};
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, Read(problem));
  TAMIS_RETURN_IF_ERROR(LeaveToOthers(conv, context));
  return conv.batch > 0 && conv.channels > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaConv conv, Read(problem));
  DirectConvArgs args;
  args.SetGeometry(conv);
  args.outputs = conv.outputs;
  args.group = conv.group;
  args.x_dtype = conv.dtype;
  args.y_dtype = conv.output_f32 ? DType::kFloat32 : conv.dtype;
  args.residual_dtype = conv.residual_f32 ? DType::kFloat32 : conv.dtype;
  args.activation = conv.activation;
  // [outputs, depth] becomes [depth, outputs], so that neighbouring lanes read neighbouring weights.
  const auto outputs = static_cast<size_t>(conv.outputs);
  const size_t depth = static_cast<size_t>(Elements(problem.input(1))) / outputs;
  const std::byte* from = problem.input(1).constant->raw();
  const size_t size = ByteSize(conv.dtype, 1);
  TAMIS_ASSIGN_OR_RETURN(
      auto weight,
      context.Packed(problem.input(1).constant_hash, "conv_direct", outputs * depth * size, [&](std::byte* to) {
        for (size_t o = 0; o < outputs; ++o) {
          for (size_t k = 0; k < depth; ++k)
            std::memcpy(to + (k * outputs + o) * size, from + (o * depth + k) * size, size);
        }
      }));
  return std::unique_ptr<CudaKernel>(std::make_unique<ConvDirect>(args, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_direct = {.name = "conv_direct",
                                                      .family = "conv",
                                                      .ops = {"ChannelsLastConv"},
                                                      .preference = 1000,
                                                      .supports = Supports,
                                                      .prepare = Prepare};

}  // namespace tamis::cuda
