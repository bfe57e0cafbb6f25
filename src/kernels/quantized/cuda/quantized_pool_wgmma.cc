// The first convolution of an int8 network with the max pool behind it, on Hopper: as conv_pool_wgmma.
#include "src/kernels/conv/cuda/cuda_conv_pool.h"
#include "src/kernels/quantized/cuda/cuda_folded_codes.h"

namespace tamis::cuda {
namespace {

struct Read {
  CudaInt8 int8;
  FoldedConv folded;
  ConvPoolProblem problem;
};

Result<Read> ReadProblem(const Problem& whole, const Device& device) {
  const ConvPoolParts parts(whole);
  if (!whole.node->Ints("table").empty()) return UserError("a table of codes may change their order");
  Read read;
  TAMIS_ASSIGN_OR_RETURN(read.int8, ReadCudaInt8(parts.conv));
  TAMIS_ASSIGN_OR_RETURN(read.folded, FoldQuantizedConv(read.int8, device));
  TAMIS_ASSIGN_OR_RETURN(read.problem, ReadConvPool(whole, read.folded.gemm));
  return read;
}

class QuantizedPool : public CudaKernel {
 public:
  QuantizedPool(Read read, int multiprocessors, std::shared_ptr<const DeviceBytes> weight,
                std::shared_ptr<const DeviceBytes> channels)
      : read_(std::move(read)),
        multiprocessors_(multiprocessors),
        weight_(std::move(weight)),
        channels_(std::move(channels)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }
  size_t WorkspaceBytes() const override { return read_.folded.ImageBytes(); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(read_.folded.Fold(in[0], workspace, stream));
    Gemm24Operands operands{workspace, weight_->data(), nullptr, nullptr, out[0]};
    operands.channels = static_cast<const Int8Channel*>(channels_->data());
    return CudaStatus(LaunchConvPool(read_.problem, operands, multiprocessors_, stream), "quantized_pool_wgmma");
  }

 private:
  Read read_;
  int multiprocessors_;
  std::shared_ptr<const DeviceBytes> weight_, channels_;
};

Result<int> Supports(const Problem& whole, PrepareContext& context) {
  TAMIS_RETURN_IF_ERROR(ReadProblem(whole, context.device()).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& whole, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(Read read, ReadProblem(whole, context.device()));
  TAMIS_CUDA_RETURN_IF_ERROR(AllowConvPool(read.problem));
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldFoldedCodes(whole, read.folded, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(whole, read.int8, true, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<QuantizedPool>(std::move(read), context.device().multiprocessors,
                                                                     std::move(weight), std::move(channels)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_pool_wgmma = {.name = "quantized_pool_wgmma",
                                                               .family = "quantized",
                                                               .ops = {"QuantizedChannelsFirstConvPool"},
                                                               .compute = 90,
                                                               .preference = 10,
                                                               .supports = Supports,
                                                               .prepare = Prepare};

}  // namespace tamis::cuda
