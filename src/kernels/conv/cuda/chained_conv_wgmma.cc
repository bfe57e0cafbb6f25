// Two pointwise convolutions of which the second reads what the first gives, by warpgroup products in one kernel.
#include "src/kernels/conv/cuda/chained_conv.h"
#include "src/kernels/conv/cuda/cuda_chained_conv.h"
#include "src/kernels/conv/cuda/cuda_conv24.h"

namespace tamis::cuda {
namespace {

Result<ChainedConvProblem> Read(const Problem& whole) {
  const ChainedParts parts(whole);
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem first, ReadConv24(parts.first, true));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem second, ReadConv24(parts.second, true));
  if (first.OfImages() || second.OfImages()) return UserError("a convolution is not pointwise");
  if (first.depth != kChainedDepth || first.outputs != kChainedOutputs || !IsChainedWidth(second.outputs)) {
    return UserError("{} inputs, {} and {} outputs; the kernel takes 64, 256 and 64 or 128", first.depth, first.outputs,
                     second.outputs);
  }
  for (const Gemm24Problem* part : {&first, &second}) {
    const Activation kind = part->activation.kind;
    if (kind != Activation::kNone && kind != Activation::kRelu && kind != Activation::kClip) {
      return UserError("an activation is not ReLU or Clip");
    }
  }
  return ChainedConvProblem{first.rows, static_cast<int>(second.outputs), whole.input(3).Present(), first.activation,
                            second.activation};
}

class ChainedConv : public CudaKernel {
 public:
  ChainedConv(const ChainedConvProblem& problem, int multiprocessors, std::shared_ptr<const DeviceBytes> weight,
              std::shared_ptr<const DeviceBytes> second_weight)
      : problem_(problem),
        multiprocessors_(multiprocessors),
        weight_(std::move(weight)),
        second_weight_(std::move(second_weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1 | uint64_t{1} << kSecondWeight; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    ChainedConvOperands operands;
    operands.x = in[0], operands.residual = in[3];
    operands.weight = weight_->data(), operands.second_weight = second_weight_->data();
    operands.bias = static_cast<const float*>(in[2]);
    operands.second_bias = in.size() > kSecondBias ? static_cast<const float*>(in[kSecondBias]) : nullptr;
    operands.y = out[0], operands.z = out[1];
    return CudaStatus(LaunchChainedConv(problem_, operands, multiprocessors_, stream), "chained_conv_wgmma");
  }

 private:
  ChainedConvProblem problem_;
  int multiprocessors_;
  std::shared_ptr<const DeviceBytes> weight_, second_weight_;
};

Result<int> Supports(const Problem& whole, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(Read(whole).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& whole, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const ChainedConvProblem problem, Read(whole));
  TAMIS_CUDA_RETURN_IF_ERROR(AllowChainedConv(problem));
  const ChainedParts parts(whole);
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem first, ReadConv24(parts.first, true));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem second, ReadConv24(parts.second, true));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldWeight(kGemm24Wgmma, first, parts.first, context));
  TAMIS_ASSIGN_OR_RETURN(auto second_weight, HoldWeight(kGemm24Wgmma, second, parts.second, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<ChainedConv>(problem, context.device().multiprocessors,
                                                                   std::move(weight), std::move(second_weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_chained_conv_wgmma = {.name = "chained_conv_wgmma",
                                                             .family = "conv",
                                                             .ops = {"ChainedConv"},
                                                             .compute = 90,
                                                             .preference = 10,
                                                             .supports = Supports,
                                                             .prepare = Prepare};

}  // namespace tamis::cuda
