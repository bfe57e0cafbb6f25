// Rotary of domain "tamis" (src/ops/op_tamis.h).
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/rotary/cuda/rotary_rows.h"
#include "src/kernels/rotary/rotary.h"

namespace tamis::cuda {
namespace {

Result<RotaryRowsArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckRotary(problem));
  const Operand &x = problem.input(0), &y = problem.outputs[0];
  if (!IsComputedFloat(x.dtype) || !IsComputedFloat(y.dtype)) {
    return UserError("x is {} and the result {}", Name(x.dtype), Name(y.dtype));
  }
  if (Elements(x) == 0) return UserError("x is empty");
  if (Elements(x) > std::numeric_limits<int32_t>::max()) return UserError("x has 2^31 elements or more");
  RotaryRowsArgs args;
  const RotaryArgs geometry = RotaryGeometry(problem);
  args.size = static_cast<int>(geometry.size);
  args.half = static_cast<int>(geometry.half);
  args.interleaved = geometry.interleaved;
  args.own_angles = geometry.own_angles;
  args.width = geometry.width;
  args.positions = geometry.positions;
  args.divisor = geometry.divisor;
  args.batch_rows = geometry.batch_rows;
  args.batch_step = geometry.batch_step;
  args.rows = RotaryRows(problem);
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
