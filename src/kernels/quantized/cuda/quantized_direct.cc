// int8 products that no tensor-core kernel takes: groups and depthwise convolutions, padding with any zero point, sizes
// that are no multiples of anything, GPUs before Hopper.
#include "src/kernels/quantized/cuda/cuda_int8.h"
#include "src/kernels/quantized/cuda/direct_product.h"

namespace tamis::cuda {
namespace {

class QuantizedDirect : public CudaKernel {
 public:
  QuantizedDirect(const DirectProductArgs& args, std::shared_ptr<const DeviceBytes> weight,
                  std::shared_ptr<const DeviceBytes> channels, std::shared_ptr<const DeviceBytes> table)
      : args_(args), weight_(std::move(weight)), channels_(std::move(channels)), table_(std::move(table)) {}

  uint64_t PackedInputs() const override { return kInt8PackedInputs; }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    DirectProductArgs args = args_;
    args.x = in[0];
    args.w = static_cast<const int8_t*>(weight_->data());
    args.channels_of_y = static_cast<const Int8Channel*>(channels_->data());
    args.residual = in.size() > 4 ? in[4] : nullptr;
    args.y = out[0];
    TAMIS_RETURN_IF_ERROR(CudaStatus(LaunchDirectProduct(args, stream), "quantized_direct"));
    const int64_t pixels = int64_t{args.batch} * args.out_h * args.out_w;
    return ExchangeCodes(table_.get(), args.y, pixels * args.outputs, stream);
  }

 private:
  DirectProductArgs args_;
  std::shared_ptr<const DeviceBytes> weight_, channels_, table_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(ReadCudaInt8(problem).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const CudaInt8 int8, ReadCudaInt8(problem));
  const CudaConv& conv = int8.conv;
  DirectProductArgs args;
  args.SetGeometry(conv);
  args.outputs = conv.outputs, args.group = conv.group;
  args.quantizes = int8.quantizes;
  args.x_scale = int8.x_scale, args.x_zero = int8.x_zero;
  args.activation = int8.activation;
  args.types = int8.types;
  TAMIS_ASSIGN_OR_RETURN(auto weight, HoldConstant(problem, 1, context));
  TAMIS_ASSIGN_OR_RETURN(auto channels, HoldChannels(problem, int8, false, context));
  TAMIS_ASSIGN_OR_RETURN(auto table, HoldTable(problem, context));
  return std::unique_ptr<CudaKernel>(
      std::make_unique<QuantizedDirect>(args, std::move(weight), std::move(channels), std::move(table)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_quantized_direct = {
    .name = "quantized_direct",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "QuantizedChannelsFirstConv"},
    .preference = 200,
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
