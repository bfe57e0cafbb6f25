// Cast between f32, f16, bf16, int64, int32, int8, uint8 and bool.
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/elementwise/cuda/elementwise.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

bool IsKnown(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kInt64:
    case DType::kInt32:
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kBool:
      return true;
    default:
      return false;
  }
}

class Cast : public CudaKernel {
 public:
  explicit Cast(const CastArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    CastArgs args = args_;
    args.x = in[0];
    args.y = out[0];
    return CudaStatus(LaunchCast(args, stream), "cast_cuda");
  }

 private:
  CastArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const DType from = problem.input(0).dtype, to = problem.outputs[0].dtype;
  if (!IsKnown(from) || !IsKnown(to)) return UserError("from {} to {}", Name(from), Name(to));
  if (Elements(problem.outputs[0]) == 0) return UserError("the result is empty");
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  CastArgs args;
  args.from = problem.input(0).dtype;
  args.to = problem.outputs[0].dtype;
  args.count = Elements(problem.outputs[0]);
  return std::unique_ptr<CudaKernel>(std::make_unique<Cast>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_cast_cuda = {
    .name = "cast_cuda", .family = "elementwise", .ops = {"Cast"}, .supports = Supports, .prepare = Prepare};

}  // namespace tamis::cuda
