// Channels-last pools over one or two spatial axes, f16, bf16 or f32; max pools of codes too.
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/pool/cuda/global_average.h"
#include "src/kernels/pool/cuda/slide_window.h"
#include "src/kernels/window.h"

namespace tamis::cuda {
namespace {

bool HoldsCodes(const Operand& operand) {
  return operand.dtype == DType::kUInt8 || operand.dtype == DType::kInt8;
}

Status Check(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  const bool codes = problem.node->op == "ChannelsLastMaxPool" && HoldsCodes(problem.input(0)) &&
                     problem.outputs[0].dtype == problem.input(0).dtype;
  const DType x = problem.input(0).dtype, y = problem.outputs[0].dtype;
  if (!codes && (!IsComputedFloat(x) || !IsComputedFloat(y))) return UserError("x of {}, y of {}", Name(x), Name(y));
  if (Elements(problem.outputs[0]) == 0 || Elements(problem.input(0)) == 0) return UserError("an operand is empty");
  return {};
}

bool IsGlobal(const Problem& problem) {
  return problem.node->op == "ChannelsLastGlobalAveragePool";
}

Result<WindowArgs> ReadWindow(const Problem& problem) {
  TAMIS_ASSIGN_OR_RETURN(const Window window, MakeWindow(problem, problem.node->Ints("kernel_shape")));
  WindowArgs args;
  args.kind = problem.node->op == "ChannelsLastMaxPool" ? WindowKind::kMax : WindowKind::kAverage;
  args.batch = static_cast<int>(window.batch);
  args.channels = static_cast<int>(window.channels);
  const auto set = [](const WindowAxis& axis, int* in, int* out, int* kernel, int* stride, int* pad, int* dilation,
                      int* padded) {
    *in = static_cast<int>(axis.in), *out = static_cast<int>(axis.out);
    *kernel = static_cast<int>(axis.taps), *stride = static_cast<int>(axis.stride);
    *pad = static_cast<int>(axis.pad_begin), *dilation = static_cast<int>(axis.dilation);
    *padded = static_cast<int>(axis.in + axis.pad_end);
  };
  set(window.y, &args.in_h, &args.out_h, &args.kernel_h, &args.stride_h, &args.pad_h, &args.dilation_h, &args.padded_h);
  set(window.x, &args.in_w, &args.out_w, &args.kernel_w, &args.stride_w, &args.pad_w, &args.dilation_w, &args.padded_w);
  args.count_padding = problem.node->Int("count_include_pad", 0) != 0;
  args.x_dtype = problem.input(0).dtype;
  args.y_dtype = problem.outputs[0].dtype;
  if (HoldsCodes(problem.input(0))) args.codes = problem.input(0).dtype;
  return args;
}

class Pool : public CudaKernel {
 public:
  explicit Pool(const WindowArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    WindowArgs args = args_;
    args.x = in[0];
    args.y = out[0];
    return CudaStatus(LaunchWindow(args, stream), "pool_cuda");
  }

 private:
  WindowArgs args_;
};

class GlobalAverage : public CudaKernel {
 public:
  explicit GlobalAverage(const GlobalAverageArgs& args) : args_(args) {}
  size_t WorkspaceBytes() const override {
    if (args_.parts == 1) return 0;
    return sizeof(float) * static_cast<size_t>(args_.batch) * static_cast<size_t>(args_.parts) *
           static_cast<size_t>(args_.channels);
  }
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    GlobalAverageArgs args = args_;
    args.x = in[0];
    args.y = out[0];
    args.partial = static_cast<float*>(workspace);
    return CudaStatus(LaunchGlobalAverage(args, stream), "pool_cuda");
  }

 private:
  GlobalAverageArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(Check(problem));
  if (IsGlobal(problem)) {
    if (problem.input(0).dims[0] > 65535) return UserError("more than 65535 images");
    return 1;
  }
  TAMIS_ASSIGN_OR_RETURN(const WindowArgs args, ReadWindow(problem));
  return args.batch > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  if (!IsGlobal(problem)) {
    TAMIS_ASSIGN_OR_RETURN(const WindowArgs args, ReadWindow(problem));
    return std::unique_ptr<CudaKernel>(std::make_unique<Pool>(args));
  }
  const Dims& x = problem.input(0).dims;
  GlobalAverageArgs args;
  args.batch = static_cast<int>(x[0]);
  args.channels = static_cast<int>(x.back());
  args.pixels = static_cast<int>(Product(x, 1, x.size() - 1));
  args.x_dtype = problem.input(0).dtype;
  args.y_dtype = problem.outputs[0].dtype;
  args.parts = GlobalAverageParts(args);
  return std::unique_ptr<CudaKernel>(std::make_unique<GlobalAverage>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_pool_cuda = {
    .name = "pool_cuda",
    .family = "pool",
    .ops = {"ChannelsLastMaxPool", "ChannelsLastAveragePool", "ChannelsLastGlobalAveragePool"},
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
