// Rotary of domain "tamis" (src/ops/op_tamis.h).
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/rotary/cuda/rotary_rows.h"
#include "src/ops/op_tamis.h"

namespace tamis::cuda {
namespace {

Result<RotaryRowsArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &cosine = problem.input(1), &sine = problem.input(2), &y = problem.outputs[0];
  if (!IsComputedFloat(x.dtype) || !IsComputedFloat(y.dtype)) {
    return UserError("x is {} and the result {}", Name(x.dtype), Name(y.dtype));
  }
  if (cosine.dtype != DType::kFloat32 || sine.dtype != DType::kFloat32 || cosine.dims != sine.dims) {
    return UserError("the tables must be f32 and of one shape");
  }
  const bool packed = x.dims.size() == 3;
  const int64_t heads = problem.node->Int("num_heads", 1);
  const int64_t size = packed ? x.dims[2] / heads : x.dims[3];
  if (Elements(x) == 0) return UserError("x is empty");
  if (Elements(x) > std::numeric_limits<int32_t>::max()) return UserError("x has 2^31 elements or more");
  RotaryRowsArgs args;
  args.size = static_cast<int>(size);
  args.half = static_cast<int>(problem.node->Int("rotary_dim", 0) / 2);
  args.interleaved = problem.node->Int("interleaved", 0) != 0;
  args.width = cosine.dims.back();
  args.own_angles = args.width == 2 * args.half;
  args.positions = x.dims[packed ? 1 : 2];
  args.divisor = packed ? heads : 1;
  args.batch_rows = heads * args.positions;
  args.batch_step = cosine.dims.size() == 3 && cosine.dims[0] > 1 ? args.positions * args.width : 0;
  args.rows = x.dims[0] * args.batch_rows;
  args.x_dtype = x.dtype, args.y_dtype = y.dtype;
  return args;
}

class Rotary : public CudaKernel {
 public:
  explicit Rotary(const RotaryRowsArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    RotaryRowsArgs args = args_;
    args.x = in[0];
    args.cosine = static_cast<const float*>(in[1]), args.sine = static_cast<const float*>(in[2]);
    args.y = out[0];
    return CudaStatus(LaunchRotaryRows(args, stream), "rotary_cuda");
  }

 private:
  RotaryRowsArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const RotaryRowsArgs args, Read(problem));
  return args.rows > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const RotaryRowsArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Rotary>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_rotary_cuda = {
    .name = "rotary_cuda", .family = "rotary", .ops = {"Rotary"}, .supports = Supports, .prepare = Prepare};

}  // namespace tamis::cuda
