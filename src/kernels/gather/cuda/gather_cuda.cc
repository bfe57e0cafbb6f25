// Gather of whole runs along one axis. Indices from the host are checked there before a run; others that are out of
// range give zeros.
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/transpose/cuda/move_elements.h"

namespace tamis::cuda {
namespace {

class Gather : public CudaKernel {
 public:
  explicit Gather(const GatherArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    GatherArgs args = args_;
    args.x = in[0], args.indices = in[1];
    args.y = out[0];
    return CudaStatus(LaunchGather(args, stream), "gather_cuda");
  }

 private:
  GatherArgs args_;
};

Result<GatherArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const Operand &data = problem.input(0), &indices = problem.input(1);
  if (indices.dtype != DType::kInt64 && indices.dtype != DType::kInt32) {
    return UserError("input 1 (indices) is {}; int64 and int32 are supported", Name(indices.dtype));
  }
  if (BitSize(data.dtype) % 8 != 0 || BitSize(data.dtype) == 0)
    return UserError("elements of {} bits", BitSize(data.dtype));
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", 0), data.dims.size());
  if (axis < 0) return UserError("the axis does not lie within {}", ToString(data.dims));
  if (Elements(problem.outputs[0]) == 0) return UserError("the result is empty");
  GatherArgs args;
  const auto at = static_cast<size_t>(axis);
  args.wide_indices = indices.dtype == DType::kInt64;
  args.outer = Product(data.dims, 0, at);
  args.dim = data.dims[at];
  args.index_count = Elements(indices);
  const int64_t run = Product(data.dims, at + 1, data.dims.size());
  args.run_bytes = static_cast<int64_t>(ByteSize(data.dtype, static_cast<size_t>(run)));
  return args;
}

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const GatherArgs args, Read(problem));
  return args.outer > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const GatherArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Gather>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_gather_cuda = {
    .name = "gather_cuda", .family = "gather", .ops = {"Gather"}, .supports = Supports, .prepare = Prepare};

}  // namespace tamis::cuda
