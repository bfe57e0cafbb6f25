// The first convolution of an int8 network by warpgroup products of codes, on Hopper: as conv_folded_wgmma.
#include "src/kernels/cuda/launch.h"
#include "src/kernels/quantized/cuda/cuda_folded_codes.h"

namespace tamis::cuda {
namespace {

class QuantizedFolded : public CudaKernel {
 public:
  QuantizedFolded(FoldedConv folded, Gemm24Tactic tactic, std::shared_ptr<const DeviceBytes> weight,
                  std::shared_ptr<const DeviceBytes> channels, std::shared_ptr<const DeviceBytes> table)
      : folded_(std::move(folded)),
        tactic_(tactic),
        weight_(std::move(weight)),
        channels_(std::move(channels)),
        table_(std::move(table)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }
  size_t WorkspaceBytes() const override { return folded_.ImageBytes(); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(folded_.Fold(in[0], workspace, stream));
    Gemm24Operands operands{workspace, weight_->data(), nullptr, nullptr, out[0]};
    operands.channels = static_cast<const Int8Channel*>(channels_->data());
    TAMIS_RETURN_IF_ERROR(CudaStatus(Gemm24Wgmma(folded_.gemm, tactic_, operands, MayOverlapLaunches(), stream),
                                     "quantized_folded_wgmma"));
    return ExchangeCodes(table_.get(), out[0], folded_.gemm.rows * folded_.gemm.outputs, stream);
  }

 private:
  FoldedConv folded_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

Result<FoldedConv> Read(const Problem& problem, const Device& device) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  return FoldQuantizedConv(int8, device);
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const FoldedConv folded, Read(problem, context.device()));
  return CountGemm24(kGemm24Wgmma, folded.gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_ASSIGN_OR_RETURN(FoldedConv folded, FoldQuantizedConv(int8, context.device()));
  const Gemm24Tactic tactic =
      Gemm24WgmmaTactics(folded.gemm, context.device().multiprocessors)[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(folded.gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldFoldedCodes(problem, folded, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, int8, true, context));
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
