// QuantizeLinear and DequantizeLinear of float8e4m3fn with one scale.
#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/float8/cuda/float8_elements.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

Result<Float8ElementsArgs> Read(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  const Node& node = *problem.node;
  const Operand &x = problem.input(0), &scale = problem.input(1), &zero = problem.input(2), &y = problem.outputs[0];
  Float8ElementsArgs args;
  args.decode = node.op == "DequantizeLinear";
  const Operand &numbers = args.decode ? y : x, &codes = args.decode ? x : y;
  if (codes.dtype != DType::kFloat8E4M3) return UserError("codes of {}", Name(codes.dtype));
  if (!IsComputedFloat(numbers.dtype)) return UserError("numbers of {}", Name(numbers.dtype));
  if (scale.constant == nullptr || !IsComputedFloat(scale.dtype) || Elements(scale) != 1) {
    return UserError("the scale is not one constant number");
  }
  if (zero.Present() &&
      (zero.constant == nullptr || Elements(zero) != 1 || (static_cast<int>(zero.constant->raw()[0]) & 0x7f) != 0)) {
    return UserError("the zero point is not 0");
  }
  if (node.Int("block_size", 0) != 0 || node.Has("precision") || node.Int("saturate", 1) == 0) {
    return UserError("blocks, a precision, or codes that don't saturate");
  }
  args.count = Elements(x);
  if (args.count == 0) return UserError("the result is empty");
  args.numbers = numbers.dtype;
  args.scale = scale.constant->ToFloat32().Data<float>()[0];
  return args;
}

class Float8Codes : public CudaKernel {
 public:
  explicit Float8Codes(const Float8ElementsArgs& args) : args_(args) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    Float8ElementsArgs args = args_;
    args.x = in[0], args.y = out[0];
    return CudaStatus(LaunchFloat8Elements(args, stream), "float8_codes");
  }

 private:
  Float8ElementsArgs args_;
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_RETURN_IF_ERROR(Read(problem).status());
  return 1;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const Float8ElementsArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<Float8Codes>(args));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_float8_codes = {.name = "float8_codes",
                                                       .family = "float8",
                                                       .ops = {"QuantizeLinear", "DequantizeLinear"},
                                                       .supports = Supports,
                                                       .prepare = Prepare};

}  // namespace tamis::cuda
