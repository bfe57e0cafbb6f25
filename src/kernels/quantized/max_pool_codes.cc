#include "src/kernels/quantized/max_pool_codes.h"

#include "src/kernels/operand_check.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

// A line of the result is an item, and needs the lines of the image that its windows reach.
class MaxPoolCodesKernel : public RowKernel {
 public:
  MaxPoolCodesKernel(const MaxPoolCodesArgs& args, RangeBody<MaxPoolCodesArgs> body, int64_t grain, int threads)
      : args_(args), body_(body), all_(args, body, Lines(args.window), grain, threads) {
    std::array<SlidingAxis, 3> axes;
    const WindowAxis* const from[3] = {&args.window.z, &args.window.y, &args.window.x};
    for (size_t i = 0; i < 3; ++i) {
      const WindowAxis& axis = *from[i];
      axes[i] = {axis.in, axis.out, axis.taps, axis.stride, axis.dilation, axis.pad_begin, axis.pad_end};
    }
    lines_ = WindowLines(axes);
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    all_.Run(inputs, outputs, workspace, pool);
  }

  int64_t RowUnit() const override { return lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t /*rows*/) const override { return 0; }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    body_(args_, inputs.data(), outputs.data(), rows.begin / lines_.pixels(), rows.end / lines_.pixels(), scratch);
  }

 private:
  static int64_t Lines(const Window& window) { return window.batch * window.z.out * window.y.out; }

  MaxPoolCodesArgs args_;
  RangeBody<MaxPoolCodesArgs> body_;
  RangeKernel<MaxPoolCodesArgs> all_;
  WindowLines lines_;
};

Result<MaxPoolCodesArgs> ReadArgs(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kUInt8 && dtype != DType::kInt8) return UserError("x must be uint8 or int8");
  if (problem.outputs[0].dtype != dtype) return UserError("x and y differ in dtype");
  MaxPoolCodesArgs args;
  TAMIS_ASSIGN_OR_RETURN(args.window, MakeWindow(problem, problem.node->Ints("kernel_shape"), 3));
  args.is_signed = dtype == DType::kInt8;
  if (problem.outputs[0].dims.back() != args.window.channels) return UserError("x and y differ in channels");
  return args;
}

}  // namespace

Status SupportsMaxPoolCodes(const Problem& problem) {
  return ReadArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareMaxPoolCodes(const Problem& problem, RangeBody<MaxPoolCodesArgs> body) {
  TAMIS_ASSIGN_OR_RETURN(const MaxPoolCodesArgs args, ReadArgs(problem));
  const Window& w = args.window;
  return std::unique_ptr<PreparedKernel>(std::make_unique<MaxPoolCodesKernel>(
      args, body, GrainFor(w.x.out * w.channels * w.z.taps * w.y.taps * w.x.taps / 32), problem.threads));
}

}  // namespace tamis
