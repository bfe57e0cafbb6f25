// LayerNormalization and RMSNormalization over the last axes, f32, f16 or bf16; QuantizedLayerNorm
// (src/cuda/fuse_for_cuda.h), which gives codes, and ResidualLayerNorm, which adds a residual first.
#include <limits>

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/norm/cuda/norm_rows.h"
#include "src/kernels/operand_check.h"

namespace tamis::cuda {
namespace {

// Whether rows like x, which may be absent, are f16 and not f32.
Result<bool> ReadRows(const Operand& rows, const Dims& dims, const char* what) {
  if (!rows.Present()) return false;
  if (rows.dims != dims) return UserError("{} has other dimensions than x", what);
  if (rows.dtype != DType::kFloat16 && rows.dtype != DType::kFloat32)
    return UserError("{} is {}", what, Name(rows.dtype));
  return rows.dtype == DType::kFloat16;
}

Result<LayerNormArgs> Read(const Problem& problem) {
  const bool codes = problem.node->op == "QuantizedLayerNorm", adds = problem.node->op == "ResidualLayerNorm";
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, codes || adds ? kTamisDomain : ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, codes && problem.outputs.size() == 2 ? 2 : 1));
  const Operand& x = problem.input(0);
  const bool bf16 = x.dtype == DType::kBFloat16 && !codes && !adds;
  if (x.dtype != DType::kFloat16 && x.dtype != DType::kFloat32 && !bf16) {
    return UserError("x is {}, which the kernel does not take", Name(x.dtype));
  }
  const size_t rank = x.dims.size();
  const int64_t axis = NormalizeAxis(problem.node->Int("axis", -1), rank);
  if (axis < 0) return UserError("the axis lies outside of x");
  LayerNormArgs args;
  const int64_t columns = Product(x.dims, static_cast<size_t>(axis), rank);
  if (columns == 0 || Elements(x) / std::max<int64_t>(columns, 1) > std::numeric_limits<int32_t>::max()) {
    return UserError("x is empty or has too many rows");
  }
  for (size_t i = 1; i < 3; ++i) {
    const Operand& parameter = problem.input(i);
    const DType dtype = codes || adds ? DType::kFloat32 : x.dtype;
    if (parameter.Present() && (Elements(parameter) != columns || parameter.dtype != dtype)) {
      return UserError("input {} is not one number of {} for each element of a row", i, Name(dtype));
    }
  }
  args.columns = static_cast<int>(columns);
  args.rows = static_cast<int>(Elements(x) / columns);
  if (args.rows == 0) return UserError("x is empty");
  args.epsilon = problem.node->Float("epsilon", 1e-5f);
  args.dtype = x.dtype;
  args.centred = problem.node->op != "RMSNormalization";
  if (!codes && !adds) return args;
  if (columns % 8 != 0 || columns > 2048) return UserError("rows of {}; multiples of 8 up to 2048", columns);
  TAMIS_ASSIGN_OR_RETURN(args.residual_f16, ReadRows(problem.input(3), x.dims, "the residual"));
  const Operand numbers = adds ? problem.outputs[0] : problem.outputs.size() > 1 ? problem.outputs[1] : Operand();
  TAMIS_ASSIGN_OR_RETURN(args.numbers_f16, ReadRows(numbers, x.dims, "the norm"));
  if (adds) return args;
  args.codes = problem.outputs[0].dtype;
  if (args.codes != DType::kUInt8 && args.codes != DType::kInt8) return UserError("y is {}", Name(args.codes));
  args.factor = 1.0f / problem.node->Float("y_scale", 1);
  args.y_zero = static_cast<int>(problem.node->Int("y_zero_point", 0));
  if (const Operand& factors = problem.input(4);
      factors.Present() && (factors.dtype != DType::kFloat32 || Elements(factors) != columns)) {
    return UserError("the factors are not one f32 number for each element of a row");
  }
  return args;
}

class LayerNorm : public CudaKernel {
 public:
  LayerNorm(const LayerNormArgs& args, bool adds) : args_(args), adds_(adds) {}
  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void*,
                 cudaStream_t stream) const override {
    LayerNormArgs args = args_;
    const auto input = [&](size_t i) { return i < in.size() ? in[i] : nullptr; };
    args.x = in[0], args.scale = in[1], args.bias = input(2);
    args.residual = input(3), args.factors = static_cast<const float*>(input(4));
    args.y = adds_ ? nullptr : out[0];
    args.numbers = adds_ ? out[0] : out.size() > 1 ? out[1] : nullptr;
    return CudaStatus(LaunchLayerNorm(args, stream), "layer_norm_cuda");
  }

 private:
  LayerNormArgs args_;
  bool adds_;  // ResidualLayerNorm
};

Result<int> Supports(const Problem& problem, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const LayerNormArgs args, Read(problem));
  return args.rows > 0 ? 1 : 0;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int, PrepareContext&) {
  TAMIS_ASSIGN_OR_RETURN(const LayerNormArgs args, Read(problem));
  return std::unique_ptr<CudaKernel>(std::make_unique<LayerNorm>(args, problem.node->op == "ResidualLayerNorm"));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_layer_norm_cuda = {
    .name = "layer_norm_cuda",
    .family = "norm",
    .ops = {"LayerNormalization", "RMSNormalization", "QuantizedLayerNorm", "ResidualLayerNorm"},
    .supports = Supports,
    .prepare = Prepare};

}  // namespace tamis::cuda
