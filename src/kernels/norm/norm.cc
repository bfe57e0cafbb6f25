#include "src/kernels/norm/norm.h"

#include "src/base/float16.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/row_range_kernel.h"

namespace tamis {
namespace {

bool IsL2(const Problem& problem) {
  return problem.node->op == "L2Normalize";
}

bool WritesCodes(const Problem& problem) {
  return problem.node->op == "QuantizedLayerNorm";
}

int64_t FirstColumnAxis(const Problem& problem) {
  const int64_t axis = IsL2(problem) ? -1 : problem.node->Int("axis", -1);
  return NormalizeAxis(axis, problem.input(0).dims.size());
}

// What QuantizedLayerNorm asks for beside LayerNormalization.
Status CheckCodes(const Problem& problem) {
  for (size_t i = 0; i <= 1; ++i) {
    if (problem.input(i).dtype != DType::kFloat32) return UserError("input {} must be float32", i);
  }
  if (problem.input(3).Present() || problem.input(4).Present() || !problem.node->Has("y_dtype")) {
    return UserError("a residual or factors are not supported");  // the GPU's form of the node
  }
  return {};
}

template <class T>
void Widen(const void* mask, int64_t first, int64_t count, float* weights) {
  const T* source = static_cast<const T*>(mask) + first;
  for (int64_t i = 0; i < count; ++i) weights[i] = static_cast<float>(source[i]);
}

}  // namespace

Status SupportsNorm(const Problem& problem) {
  const bool l2 = IsL2(problem);
  const bool codes = WritesCodes(problem);
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, l2 || codes ? kTamisDomain : ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(codes ? CheckCodes(problem) : CheckF32OrBf16(problem.outputs[0], "output 0"));
  const Dims& dims = problem.input(0).dims;
  const int64_t axis = FirstColumnAxis(problem);
  if (axis < 0) return UserError("the axis does not lie within {}", ToString(dims));
  if (l2) return {};
  const int64_t columns = Product(dims, static_cast<size_t>(axis), dims.size());
  for (size_t i = 1; i <= 2; ++i) {
    const Operand& operand = problem.input(i);
    if (i == 1 && !operand.Present()) return UserError("input 1 (scale) is missing");
    if (!operand.Present()) continue;
    TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(operand, i == 1 ? "input 1 (scale)" : "input 2 (bias)"));
    if (operand.dtype != problem.input(1).dtype) return UserError("scale and bias differ in element type");
    if (Elements(operand) != columns) {
      return UserError("input {} is {}; one element for each of {} columns is supported", i, ToString(operand.dims),
                       columns);
    }
  }
  if (problem.node->op == "RMSNormalization" && problem.input(2).Present()) return UserError("a bias is not supported");
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareNorm(const Problem& problem, NormBody body) {
  const Dims& dims = problem.input(0).dims;
  NormArgs args;
  args.kind = IsL2(problem)                            ? NormKind::kL2
              : problem.node->op == "RMSNormalization" ? NormKind::kRms
                                                       : NormKind::kLayer;
  const auto axis = static_cast<size_t>(FirstColumnAxis(problem));
  args.columns = Product(dims, axis, dims.size());
  args.epsilon = problem.node->Float("epsilon", IsL2(problem) ? 1e-12f : 1e-5f);
  args.bias = !IsL2(problem) && problem.input(2).Present();
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.bf16_affine = !IsL2(problem) && IsBf16(problem.input(1));
  if (WritesCodes(problem)) {
    args.y_type = CodeTypeOf(problem.outputs[0].dtype);
    args.code_factor = 1 / problem.node->Float("y_scale", 1);
    args.code_zero = static_cast<float>(problem.node->Int("y_zero_point", 0));
  }
  const int64_t rows = args.columns == 0 ? 0 : Product(dims, 0, axis);
  const int64_t row_items = axis + 1 == dims.size() ? 1 : 0;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RowRangeKernel<NormArgs>>(args, body, rows, GrainFor(args.columns), problem.threads, row_items));
}

double NormFlops(const Problem& problem) {
  return 8.0 * static_cast<double>(Elements(problem.input(0)));
}

Status SupportsMaskedMean(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &x = problem.input(0), &mask = problem.input(1);
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(x, "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  if (x.dims.size() != 3 || mask.dims != Dims{x.dims[0], x.dims[1]}) {
    return UserError("x {} and mask {} must be [B, S, C] and [B, S]", ToString(x.dims), ToString(mask.dims));
  }
  switch (mask.dtype) {
    case DType::kFloat32:
    case DType::kBFloat16:
    case DType::kInt64:
    case DType::kInt32:
    case DType::kBool:
    case DType::kUInt8:
    case DType::kInt8:
      return {};
    default:
      return UserError("a mask of {} is not supported", Name(mask.dtype));
  }
}

Result<std::unique_ptr<PreparedKernel>> PrepareMaskedMean(const Problem& problem, MaskedMeanBody body) {
  const Dims& dims = problem.input(0).dims;
  MaskedMeanArgs args;
  args.rows = dims[1];
  args.columns = dims[2];
  args.epsilon = problem.node->Float("epsilon", 1e-9f);
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  args.mask = problem.input(1).dtype;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<MaskedMeanArgs>>(
      args, body, dims[0], GrainFor(dims[1] * dims[2]), problem.threads,
      static_cast<size_t>(std::max<int64_t>(args.rows, 1)) * sizeof(float)));
}

void ReadMask(DType dtype, const void* mask, int64_t first, int64_t count, float* weights) {
  switch (dtype) {
    case DType::kFloat32:
      return Widen<float>(mask, first, count, weights);
    case DType::kInt64:
      return Widen<int64_t>(mask, first, count, weights);
    case DType::kInt32:
      return Widen<int32_t>(mask, first, count, weights);
    case DType::kInt8:
      return Widen<int8_t>(mask, first, count, weights);
    case DType::kBFloat16:
      for (int64_t i = 0; i < count; ++i) weights[i] = Bf16ToFloat(static_cast<const uint16_t*>(mask)[first + i]);
      return;
    default:
      return Widen<uint8_t>(mask, first, count, weights);  // bool and uint8
  }
}

}  // namespace tamis
