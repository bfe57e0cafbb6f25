#include "src/kernels/quantized/quantized.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/store/write_row.h"

namespace tamis {
namespace {

// Numbers of this size rounded by the addition of 1.5 * 2^23 come out even, as nearbyint has it, and in vectors.
float RoundedCode(float x, float zero, float low, float high) {
  constexpr float kMagic = 12582912.0f;
  const float bounded = std::min(std::max(x, -65536.0f), 65536.0f);
  return std::min(std::max(((bounded + kMagic) - kMagic) + zero, low), high);
}

// Rounding keeps the order, so that codes may be bounded instead of values.
void BoundCodes(QuantizedResult& result) {
  const bool is_unsigned = result.dtype == DType::kUInt8;
  const float low = is_unsigned ? 0.0f : -128.0f, high = is_unsigned ? 255.0f : 127.0f;
  const auto code = [&](float value) {
    return static_cast<int>(RoundedCode(value / result.y_scale, result.y_zero, low, high));
  };
  result.lowest = static_cast<int>(low);
  result.highest = static_cast<int>(high);
  switch (result.activation.activation) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      result.lowest = code(0);
      break;
    case Activation::kClip:
      result.highest = code(result.activation.clip_max);
      result.lowest = std::min(code(result.activation.clip_min), result.highest);
      break;
    default:
      return;
  }
  result.bounds_only = true;
}

}  // namespace

CodeType CodeTypeOf(DType dtype) {
  return dtype == DType::kUInt8 ? CodeType::kUInt8 : dtype == DType::kInt8 ? CodeType::kInt8 : CodeType::kFloat32;
}

AffineTable QuantizedResult::ToCodes() const {
  return affine.value_or(AffineTable{1, static_cast<int>(y_zero), lowest, highest});
}

QuantizedResult ResultOf(const Node& node, DType residual) {
  QuantizedResult result;
  result.activation = QuantizedActivation(node);
  result.dtype = QuantizedOutputDType(node);
  result.y_type = CodeTypeOf(result.dtype);
  result.y_scale = node.Float("y_scale", 1);
  result.y_zero = static_cast<float>(node.Int("y_zero_point", 0));
  result.residual_type = CodeTypeOf(residual);
  if (result.residual_type != CodeType::kFloat32) {
    result.residual_scale = node.Float("residual_scale", 1);
    result.residual_zero = static_cast<float>(node.Int("residual_zero_point", 0));
  }
  if (result.dtype != DType::kFloat32) BoundCodes(result);
  result.table = TableOf(node);
  if (result.table != nullptr && result.bounds_only) {
    result.affine =
        AsAffine(*result.table, result.dtype, static_cast<int>(result.y_zero), result.lowest, result.highest);
  }
  result.lookup = BestLookup();
  switch (Cpu().isa) {
    case Isa::kAvx512:
      result.write = WriteQuantizedRowAvx512;
      break;
    case Isa::kAvx2:
      result.write = WriteQuantizedRowAvx2;
      break;
    case Isa::kX86_64:
      result.write = WriteQuantizedRowSse2;
      break;
  }
  return result;
}

Status CheckQuantizedOperands(const Problem& problem, int64_t outputs, int64_t depth) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &weight = problem.input(1), &scale = problem.input(2), &bias = problem.input(3);
  if (weight.dtype != DType::kInt8 || weight.constant == nullptr) return UserError("the weight must be constant int8");
  if (scale.dtype != DType::kFloat32 || scale.dims != Dims{outputs}) {
    return UserError("the scale must be one f32 number for each of {} outputs", outputs);
  }
  if (bias.Present() && (bias.dtype != DType::kFloat32 || bias.dims != Dims{outputs})) {
    return UserError("the bias must be one f32 number for each of {} outputs", outputs);
  }
  constexpr int64_t kDeepest = int64_t{1} << 15;
  if (depth < 1 || depth > kDeepest) return UserError("sums of {} products are not supported", depth);
  const Operand &residual = problem.input(4), &y = problem.outputs[0];
  if (y.dtype != QuantizedOutputDType(*problem.node)) return UserError("y has another dtype");
  if (residual.Present() && residual.dtype != DType::kFloat32 && residual.dtype != DType::kUInt8 &&
      residual.dtype != DType::kInt8) {
    return UserError("a residual of {} is not supported", Name(residual.dtype));
  }
  if (residual.Present() && residual.dims != y.dims) {
    return UserError("the residual {} is not shaped like y {}", ToString(residual.dims), ToString(y.dims));
  }
  return {};
}

Result<QuantizedShape> ReadQuantizedLinear(const Problem& problem) {
  const Operand &x = problem.input(0), &weight = problem.input(1);
  const bool dynamic = problem.node->op == "DynamicQuantizedLinear";
  const bool fits = dynamic ? x.dtype == DType::kFloat32 : x.dtype == DType::kUInt8 || x.dtype == DType::kInt8;
  if (!fits) return UserError("x of {} is not supported", Name(x.dtype));
  if (x.dims.empty() || weight.dims.size() != 2 || weight.dims[1] != x.dims.back()) {
    return UserError("x {} and weight {} do not fit", ToString(x.dims), ToString(weight.dims));
  }
  TAMIS_RETURN_IF_ERROR(CheckQuantizedOperands(problem, weight.dims[0], weight.dims[1]));
  return QuantizedShape{Product(x.dims, 0, x.dims.size() - 1), weight.dims[0], weight.dims[1], x.dtype};
}

Result<QuantizedConvShape> ReadQuantizedConv(const Problem& problem) {
  const Dims &x = problem.input(0).dims, &weight = problem.input(1).dims;
  const DType dtype = problem.input(0).dtype;
  if (dtype != DType::kUInt8 && dtype != DType::kInt8) return UserError("x must be uint8 or int8");
  const size_t rank = x.size();
  if (rank < 3 || rank > 5 || weight.size() != rank || problem.outputs.size() != 1 ||
      problem.outputs[0].dims.size() != rank) {
    return UserError("needs one to three spatial axes");
  }
  QuantizedConvShape shape;
  shape.group = problem.node->Int("group", 1);
  shape.batch = x[0];
  shape.channels = x.back();
  shape.outputs = weight[0];
  if (shape.group < 1 || shape.channels % shape.group != 0 || shape.outputs % shape.group != 0 ||
      weight.back() != shape.channels / shape.group) {
    return UserError("channels {}, outputs {} and group {} do not fit", shape.channels, shape.outputs, shape.group);
  }
  TAMIS_RETURN_IF_ERROR(CheckQuantizedOperands(problem, shape.outputs, Product(weight, 1, rank)));
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(*problem.node, {weight.begin() + 1, weight.end() - 1}, WindowAttributes::kExplicit, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const std::span<const int64_t> in(x), out(problem.outputs[0].dims);
  shape.geometry = GeometryOf(window, in.subspan(1, rank - 2), out.subspan(1, rank - 2));
  return shape;
}

}  // namespace tamis
