// The first convolution of a network by warpgroup products over folded images, on Hopper.
#include "src/kernels/conv/cuda/cuda_folded_conv.h"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {
namespace {

class ConvFolded : public CudaKernel {
 public:
  ConvFolded(FoldedConv folded, Gemm24Tactic tactic, std::shared_ptr<const DeviceBytes> weight)
      : folded_(std::move(folded)), tactic_(tactic), weight_(std::move(weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }
  size_t WorkspaceBytes() const override { return folded_.ImageBytes(); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(folded_.Fold(in[0], workspace, stream));
    const Gemm24Operands operands{workspace, weight_->data(),
                                  in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr, nullptr, out[0]};
    return CudaStatus(Gemm24Wgmma(folded_.gemm, tactic_, operands, MayOverlapLaunches(), stream), "conv_folded_wgmma");
  }

 private:
  FoldedConv folded_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_;
};

constexpr size_t kVariants = 6;

std::vector<Gemm24Tactic> Tactics(const FoldedConv& folded, const Device& device) {
  auto tactics = Gemm24WgmmaTactics(folded.gemm, device.multiprocessors);
  if (tactics.size() > kVariants) tactics.resize(kVariants);
  return tactics;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const FoldedConv folded, FoldConv(problem, context.device()));
  return static_cast<int>(Tactics(folded, context.device()).size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(FoldedConv folded, FoldConv(problem, context.device()));
  const Gemm24Tactic tactic = Tactics(folded, context.device())[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(folded.gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldFoldedWeight(problem, folded, context));
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
