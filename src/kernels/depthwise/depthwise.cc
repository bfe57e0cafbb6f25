#include "src/kernels/depthwise/depthwise.h"

#include "src/base/float16.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

Result<Window> WindowOf(const Problem& problem) {
  const Dims& weight = problem.input(1).dims;
  return MakeWindow(problem, std::vector<int64_t>(weight.begin() + 1, weight.end() - 1));
}

SlidingAxis AsSliding(const WindowAxis& axis) {
  return {axis.in, axis.out, axis.taps, axis.stride, axis.dilation, axis.pad_begin, axis.pad_end};
}

// Holds the packed weights that the arguments point to.
class Depthwise : public RowKernel {
 public:
  Depthwise(std::shared_ptr<const PackedWeight> packed, const DepthwiseArgs& args, DepthwiseBody body, int threads)
      : whole_(args, body, Items(args), GrainFor(Operations(args)), threads),
        by_rows_(args),
        body_(body),
        lines_({AsSliding(args.window.z), AsSliding(args.window.y), AsSliding(args.window.x)}),
        packed_(std::move(packed)) {
    by_rows_.by_channels = false;
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    whole_.Run(inputs, outputs, workspace, pool);
  }

  int64_t RowUnit() const override { return lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return 0; }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    body_(by_rows_, inputs.data(), outputs.data(), rows.begin / RowUnit(), rows.end / RowUnit(), scratch);
  }

 private:
  static int64_t Items(const DepthwiseArgs& args) {
    if (args.by_channels) return (args.window.channels + kChannelUnit - 1) / kChannelUnit;
    return args.window.batch * args.window.y.out;
  }
  static int64_t Operations(const DepthwiseArgs& args) {  // of an item
    const Window& w = args.window;
    const int64_t results = args.by_channels ? w.batch * w.y.out * kChannelUnit : w.channels;
    return results * w.x.out * w.x.taps * w.y.taps / 8;
  }

  RangeKernel<DepthwiseArgs> whole_;
  DepthwiseArgs by_rows_;
  DepthwiseBody body_;
  WindowLines lines_;
  std::shared_ptr<const PackedWeight> packed_;
};

std::shared_ptr<const PackedWeight> Pack(const Tensor& weight, int64_t taps, int64_t channels, int64_t stride) {
  auto packed = std::make_shared<PackedBytes>(static_cast<size_t>(taps * stride) * sizeof(float));
  auto* out = reinterpret_cast<float*>(packed->data());
  std::fill(out, out + taps * stride, 0.0f);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) {
      const int64_t at = c * taps + t;
      out[t * stride + c] =
          weight.dtype() == DType::kBFloat16 ? Bf16ToFloat(weight.Data<uint16_t>()[at]) : weight.Data<float>()[at];
    }
  }
  return packed;
}

}  // namespace

Status SupportsDepthwise(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &weight = problem.input(1), &bias = problem.input(2),
                &residual = problem.input(3);
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(x, "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(weight, "input 1 (weight)"));
  TAMIS_RETURN_IF_ERROR(CheckF32IfPresent(bias, "input 2 (bias)"));
  if (residual.Present()) TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(residual, "input 3 (residual)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  if (x.dims.size() < 3 || weight.dims.size() != x.dims.size()) return UserError("x and weight differ in rank");
  const int64_t channels = x.dims.back(), group = problem.node->Int("group", 1);
  if (group != channels || weight.dims[0] != channels || weight.dims.back() != 1) {
    return UserError("computes one filter per channel only: group {}, {} channels, weight {}", group, channels,
                     ToString(weight.dims));
  }
  if (weight.constant == nullptr) return UserError("the weight is not constant");
  if (problem.outputs[0].dims.back() != channels) return UserError("x and y differ in channels");
  if (bias.Present() && Elements(bias) != channels) return UserError("the bias needs {} elements", channels);
  if (residual.Present() && residual.dims != problem.outputs[0].dims)
    return UserError("residual and y differ in shape");
  if (!ActivationFromName(problem.node->String("activation", ""))) return UserError("unknown activation");
  const auto window = WindowOf(problem);
  return window.ok() ? Status() : window.status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareDepthwise(const Problem& problem, PackCache& cache, DepthwiseBody body) {
  DepthwiseArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.window, WindowOf(problem));
  args.epilogue = EpilogueOf(*problem.node);
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_residual = IsBf16(problem.input(3));
  args.bf16_output = IsBf16(problem.outputs[0]);
  const int64_t channels = args.window.channels;
  const int64_t taps = args.window.y.taps * args.window.x.taps;
  args.weight_stride = (channels + 15) / 16 * 16;
  // Products over images as small as this share out their outputs between threads (CutPanelGrid): what a thread wrote
  // is best read by itself.
  args.by_channels = args.window.batch * args.window.y.in < 5 * problem.threads;
  const Operand& weight = problem.input(1);
  auto packed = cache.Get(weight.constant_hash, "depthwise_f32/16",
                          [&] { return Pack(*weight.constant, taps, channels, args.weight_stride); });
  args.weights = reinterpret_cast<const float*>(static_cast<const PackedBytes&>(*packed).data());
  return std::unique_ptr<PreparedKernel>(std::make_unique<Depthwise>(std::move(packed), args, body, problem.threads));
}

double DepthwiseFlops(const Problem& problem) {
  const Dims& weight = problem.input(1).dims;
  return 4.0 * static_cast<double>(Elements(problem.outputs[0])) *
         static_cast<double>(Product(weight, 1, weight.size()));
}

}  // namespace tamis
