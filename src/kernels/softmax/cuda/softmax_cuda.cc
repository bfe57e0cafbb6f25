// Softmax and LogSoftmax over the last axis, f32, f16 or bf16.
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/norm/cuda/norm_rows.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

Result<SoftmaxArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const Operand& x = problem.input(0);
  if (!IsComputedFloat(x.dtype)) return UserError("x is {}", Name(x.dtype));
  if (problem.outputs[0].dtype != x.dtype) return UserError("the result's type is not that of x");
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", -1), x.dims.size());
  if (axis < 0 || Product(x.dims, static_cast<size_t>(axis) + 1, x.dims.size()) != 1) {
    return UserError("the axis is not the last");
  }
  SoftmaxArgs args;
  const int64_t columns = x.dims[static_cast<size_t>(axis)];
  if (Elements(x) == 0 || Elements(x) / columns > std::numeric_limits<int32_t>::max()) {
    return UserError("x is empty or has too many rows");
  }
  args.columns = static_cast<int>(columns);
  args.rows = static_cast<int>(Elements(x) / columns);
  args.dtype = x.dtype;
  args.logarithm = problem.node->op == "LogSoftmax";
  return args;
}

class Softmax : public CudaKernel {
 public:
  explicit Softmax(const SoftmaxArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    SoftmaxArgs args = args_;
    args.x = in[0];
    args.y = out[0];
    return CudaStatus(LaunchSoftmax(args, stream), "softmax_cuda");
  }

 private:
  SoftmaxArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const SoftmaxArgs args, Read(problem));
  return args.rows > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const SoftmaxArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Softmax>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_softmax_cuda = {.name = "softmax_cuda",
                                                       .family = "softmax",
                                                       .ops = {"Softmax", "LogSoftmax"},
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
