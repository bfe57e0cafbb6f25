// The first convolution of a network with the max pool behind it, on Hopper: what it gives never reaches memory.
#include "src/kernels/conv/cuda/cuda_conv_pool.h"
#include "src/kernels/conv/cuda/cuda_folded_conv.h"

namespace tamis::cuda {
namespace {

struct Read {
  FoldedConv folded;
  ConvPoolProblem problem;
};

Result<Read> ReadProblem(const Problem& whole, const Device& device) {
  const ConvPoolParts parts(whole);
  Read read;
  TAMIS_ASSIGN_OR_RETURN(read.folded, FoldConv(parts.conv, device));
  TAMIS_ASSIGN_OR_RETURN(read.problem, ReadConvPool(whole, read.folded.gemm));
  return read;
}

class ConvPool : public CudaKernel {
 public:
  ConvPool(Read read, int multiprocessors, std::shared_ptr<const DeviceBytes> weight)
      : read_(std::move(read)), multiprocessors_(multiprocessors), weight_(std::move(weight)) {}

  uint64_t PackedInputs() const override { return uint64_t{1} << 1; }
  size_t WorkspaceBytes() const override { return read_.folded.ImageBytes(); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(read_.folded.Fold(in[0], workspace, stream));
    const Gemm24Operands operands{workspace, weight_->data(),
                                  in.size() > 2 ? static_cast<const float*>(in[2]) : nullptr, nullptr, out[0]};
    return CudaStatus(LaunchConvPool(read_.problem, operands, multiprocessors_, stream), "conv_pool_wgmma");
  }

 private:
  Read read_;
  int multiprocessors_;
  std::shared_ptr<const DeviceBytes> weight_;
};

Result<int> Supports(const Problem& whole, PrepareContext& context) {
  TAMIS_RETURN_IF_ERROR(ReadProblem(whole, context.device()).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& whole, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(Read read, ReadProblem(whole, context.device()));
  TAMIS_CUDA_RETURN_IF_ERROR(AllowConvPool(read.problem));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldFoldedWeight(whole, read.folded, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<ConvPool>(std::move(read), context.device().multiprocessors, std::move(weight)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_pool_wgmma = {.name = "conv_pool_wgmma",
                                                          .family = "conv",
                                                          .ops = {"ChannelsFirstConvPool"},
                                                          .compute = 90,
                                                          .preference = 10,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
