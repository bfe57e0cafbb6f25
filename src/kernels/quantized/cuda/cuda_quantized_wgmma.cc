#include "src/kernels/quantized/cuda/cuda_quantized_wgmma.h"

#include "src/kernels/conv/cuda/cuda_conv24.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/code_tiles.h"
#include "src/kernels/gemm/sparse_code_tiles.h"

namespace tamis::cuda {
namespace {

Result<Gemm24Problem> Read(const Problem& problem, const CudaInt8& int8, Pattern pattern, const Device& device) {
  if (pattern == Pattern::kTwoFour && problem.input(1).pattern != pattern) return UserError("the weight is not 2:4");
  TAMIS_RETURN_IF_ERROR(CheckInt8Wgmma(int8, device));
  const CudaConv& conv = int8.conv;
  if (conv.channels % 16 != 0) return UserError("{} inputs are not a multiple of 16", conv.channels);
  Gemm24Problem gemm = Int8Gemm(int8);
  gemm.dense = pattern != Pattern::kTwoFour;
  if (problem.node->op == "QuantizedLinear" || conv.Pointwise()) return gemm;
  const bool pads = conv.pad_h != 0 || conv.pad_w != 0 || conv.pad_h_end > 0 || conv.pad_w_end > 0;
  if (pads && int8.x_zero != 0) {
    return UserError("the copy engine pads with the code 0; the zero point is {}", int8.x_zero);
  }
  gemm.image = ImageOf(conv);
  gemm.image.channels /= 2;  // two codes an element
  TAMIS_RETURN_IF_ERROR(CheckConvWgmma(gemm, device));
  return gemm;
}

class QuantizedWgmma : public CudaKernel {
 public:
  QuantizedWgmma(const Gemm24Problem& gemm, const Gemm24Tactic& tactic, std::shared_ptr<const DeviceBytes> weight,
                 std::shared_ptr<const DeviceBytes> channels, std::shared_ptr<const DeviceBytes> table)
      : gemm_(gemm),
        tactic_(tactic),
        weight_(std::move(weight)),
        channels_(std::move(channels)),
        table_(std::move(table)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    Gemm24Operands operands{in[0], weight_->data(), nullptr, in.size() > 4 ? in[4] : nullptr, out[0]};
    operands.channels = static_cast<const Int8Channel*>(channels_->data());
    TAMIS_RETURN_IF_ERROR(
        CudaStatus(Gemm24Wgmma(gemm_, tactic_, operands, MayOverlapLaunches(), stream), "an int8 product"));
    return ExchangeCodes(table_.get(), out[0], gemm_.rows * gemm_.outputs, stream);
  }

 private:
  Gemm24Problem gemm_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

// The packed weight of `gemm`.
Result<std::shared_ptr<const DeviceBytes>> HoldCodes(const Problem& problem, const CudaInt8& int8,
                                                     const Gemm24Problem& gemm, PrepareContext& context) {
  const Operand& weight = problem.input(1);
  const auto* codes = weight.constant->Data<int8_t>();
  const int64_t outputs = int8.conv.outputs, run = int8.conv.channels, runs = int8.Depth() / run;
  if (gemm.dense) {
    return context.Packed(weight.constant_hash, "tiles of codes", CodeTilesBytes(outputs, runs, run),
                          [&](std::byte* to) { PackCodeTiles(codes, outputs, runs, run, to); });
  }
  Status packed;
  TAMIS_ASSIGN_OR_RETURN(
      auto bytes, context.Packed(weight.constant_hash, "2:4 tiles of codes", SparseCodeTilesBytes(outputs, runs, run),
                                 [&](std::byte* to) { packed = PackSparseCodeTiles(codes, outputs, runs, run, to); }));
  TAMIS_RETURN_IF_ERROR(packed);
  return bytes;
}

}  // namespace

Result<int> CountQuantizedWgmma(const Problem& problem, Pattern pattern, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, Read(problem, int8, pattern, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> PrepareQuantizedWgmma(const Problem& problem, Pattern pattern, int variant,
                                                          PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, Read(problem, int8, pattern, context.device()));
  const Gemm24Tactic tactic = Gemm24WgmmaTactics(gemm, context.device().multiprocessors)[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(gemm, tactic));
  TAMIS_ASSIGN_OR_RETURN(auto packed, HoldCodes(problem, int8, gemm, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, int8, true, context));
  TAMIS_ASSIGN_OR_RETURN(auto table, HoldTable(problem, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<QuantizedWgmma>(gemm, tactic, std::move(packed), std::move(channels), std::move(table)));
}

}  // namespace tamis::cuda
