// QuantizedLinear and QuantizedConv by warpgroup products of codes, on Hopper: x by the copy engine, of images in its
// im2col mode; sums in int32; scale, bias, residual, activation and codes again in the epilogue.
#include "src/kernels/conv/cuda/cuda_conv24.h"
#include "src/kernels/cuda/launch.h"
#include "src/kernels/gemm/code_tiles.h"
#include "src/kernels/quantized/cuda/cuda_int8.h"

namespace tamis::cuda {
namespace {

Result<Gemm24Problem> Read(const Problem& problem, const CudaInt8& int8, const Device& device) {
  TAMIS_RETURN_IF_ERROR(CheckInt8Wgmma(int8, device));
  const CudaConv& conv = int8.conv;
  if (conv.channels % 16 != 0) return UserError("{} inputs are not a multiple of 16", conv.channels);
  Gemm24Problem gemm = Int8Gemm(int8);
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
        CudaStatus(Gemm24Wgmma(gemm_, tactic_, operands, MayOverlapLaunches(), stream), "quantized_wgmma"));
    return ExchangeCodes(table_.get(), out[0], gemm_.rows * gemm_.outputs, stream);
  }

 private:
  Gemm24Problem gemm_;
  Gemm24Tactic tactic_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, Read(problem, int8, context.device()));
  return CountGemm24(kGemm24Wgmma, gemm, context.device());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_ASSIGN_OR_RETURN(const Gemm24Problem gemm, Read(problem, int8, context.device()));
  const Gemm24Tactic tactic = Gemm24WgmmaTactics(gemm, context.device().multiprocessors)[static_cast<size_t>(variant)];
  TAMIS_CUDA_RETURN_IF_ERROR(AllowGemm24Wgmma(gemm, tactic));
  const Operand& weight = problem.input(1);
  const int64_t outputs = int8.conv.outputs, run = int8.conv.channels, runs = int8.Depth() / run;
  TAMIS_ASSIGN_OR_RETURN(
      auto packed,
      context.Packed(weight.constant_hash, "tiles of codes", CodeTilesBytes(outputs, runs, run),
                     [&](std::byte* to) { PackCodeTiles(weight.constant->Data<int8_t>(), outputs, runs, run, to); }));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, int8, true, context));
  TAMIS_ASSIGN_OR_RETURN(auto table, HoldTable(problem, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<QuantizedWgmma>(gemm, tactic, std::move(packed), std::move(channels), std::move(table)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_wgmma = {.name = "quantized_wgmma",
                                                          .family = "quantized",
                                                          .ops = {"QuantizedLinear", "QuantizedConv"},
                                                          .compute = 90,
                                                          .preference = 15,
                                                          .supports = Supports,
                                                          .prepare = Prepare};

}  // namespace tamis::cuda
