// QuantizedLinear and QuantizedConv by warp products of codes, on every GPU with tensor cores that Tamis knows: x
// gathered by asynchronous copies, sums in int32, the depth split over a cluster where rows are few (on Hopper).
#include <algorithm>

#include "src/kernels/gemm/cuda/cuda_mma_choice.h"
#include "src/kernels/quantized/cuda/cuda_int8.h"
#include "src/kernels/quantized/cuda/mma_codes.h"

namespace tamis::cuda {
namespace {

constexpr size_t kVariants = 6;

bool FromRows(const Problem& problem, const CudaConv& conv) {
  return problem.node->op == "QuantizedLinear" || conv.Pointwise();
}

Status Check(const Problem& problem, const CudaInt8& int8) {
  const CudaConv& conv = int8.conv;
  if (conv.group != 1) return UserError("{} groups; the kernel takes one", conv.group);
  if (conv.channels % 16 != 0) return UserError("{} inputs are not a multiple of 16", conv.channels);
  const bool pads = conv.pad_h != 0 || conv.pad_w != 0 || conv.pad_h_end > 0 || conv.pad_w_end > 0;
  if (!FromRows(problem, conv) && pads && int8.x_zero != 0) {
    return UserError("copies pad with the code 0; the zero point is {}", int8.x_zero);
  }
  return {};
}

// By warp products only, best predicted first.
std::vector<MmaChoice> Choices(const Problem& problem, const CudaInt8& int8, const Device& device) {
  constexpr size_t kAll = 64;
  const MmaSource source = FromRows(problem, int8.conv) ? MmaSource::kRows : MmaSource::kPixels;
  auto choices = MmaChoices(device, source, int8.conv.Rows(), int8.conv.outputs, int8.Depth() / 2, kAll);
  std::erase_if(choices, [](const MmaChoice& choice) { return choice.tile >= kWarpTiles; });
  choices.resize(std::min(choices.size(), kVariants));
  return choices;
}

class QuantizedMma : public CudaKernel {
 public:
  QuantizedMma(const MmaCodeArgs& args, bool from_rows, MmaChoice choice, std::shared_ptr<const DeviceBytes> weight,
               std::shared_ptr<const DeviceBytes> channels, std::shared_ptr<const DeviceBytes> table)
      : args_(args),
        from_rows_(from_rows),
        choice_(choice),
        weight_(std::move(weight)),
        channels_(std::move(channels)),
        table_(std::move(table)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    MmaCodeArgs args = args_;
    args.x = in[0];
    args.w = weight_->data();
    args.channels_of_y = static_cast<const Int8Channel*>(channels_->data());
    args.residual = in.size() > 4 ? in[4] : nullptr;
    args.y = out[0];
    TAMIS_RETURN_IF_ERROR(CudaStatus(from_rows_ ? LaunchMmaCodes<MmaSource::kRows>(choice_, args, stream)
                                                : LaunchMmaCodes<MmaSource::kPixels>(choice_, args, stream),
                                     "quantized_mma"));
    return ExchangeCodes(table_.get(), args.y, int64_t{args.rows} * args.outputs, stream);
  }

 private:
  MmaCodeArgs args_;
  bool from_rows_;
  MmaChoice choice_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  TAMIS_RETURN_IF_ERROR(Check(problem, int8));
  const auto choices = Choices(problem, int8, context.device());
  if (choices.empty()) return UserError("the GPU's shared memory is too small");
  return static_cast<int>(choices.size());
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(CudaInt8 int8, ReadCudaInt8(problem));
  const CudaConv& conv = int8.conv;
  const MmaChoice choice = Choices(problem, int8, context.device())[static_cast<size_t>(variant)];
  MmaCodeArgs args;
  args.SetGeometry(conv);
  args.rows = conv.Rows(), args.outputs = conv.outputs;
  args.depth = static_cast<int>(int8.Depth() / 2), args.channels = conv.channels / 2;
  args.activation = int8.activation;
  args.types = int8.types;
  const bool from_rows = FromRows(problem, conv);
  TAMIS_CUDA_RETURN_IF_ERROR(from_rows ? PrepareMmaCodes<MmaSource::kRows>(choice)
                                       : PrepareMmaCodes<MmaSource::kPixels>(choice));
  // The kernel takes 128 off codes of u8, so that much less of the zero point is left.
  if (int8.types.x_unsigned) int8.x_zero -= 128;
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldConstant(problem, 1, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, int8, true, context));
  TAMIS_ASSIGN_OR_RETURN(auto table, HoldTable(problem, context));
  return std::unique_ptr<CudaKernel>(std::make_unique<QuantizedMma>(args, from_rows, choice, std::move(weight),
                                                                    std::move(channels), std::move(table)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_mma = {.name = "quantized_mma",
                                                        .family = "quantized",
                                                        .ops = {"QuantizedLinear", "QuantizedConv"},
                                                        .preference = 30,
                                                        .supports = Supports,
                                                        .prepare = Prepare};

}  // namespace tamis::cuda
