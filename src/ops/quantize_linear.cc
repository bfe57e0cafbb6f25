// QuantizeLinear: saturate(round(x / scale) + zero point), for the tensor, an axis or blocks of an axis.
#include <cmath>

#include "src/base/float16.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

bool Quantized(DType dtype) {
  if (IsInteger(dtype)) return BitSize(dtype) <= 16;
  return IsSmallFloat(dtype) && dtype != DType::kFloat8E8M0;
}

// Inputs: x, scale, zero point?.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 3));
  const DType x = context.InputDType(0);
  if (x != DType::kUndefined && x != DType::kInt32 && !(IsFloat(x) && BitSize(x) >= 16)) {
    return context.Error(fmt::format("input 0 is {}, must be float or int32", Name(x)));
  }
  if (context.InputDType(1) != DType::kInt32) TAMIS_RETURN_IF_ERROR(CheckScaleDType(context, 1));
  TAMIS_ASSIGN_OR_RETURN(const DType precision, DTypeAttribute(context, "precision"));
  if (precision != DType::kUndefined && !(IsFloat(precision) && BitSize(precision) >= 16)) {
    return context.Error(fmt::format("precision is {}, must be a float of 16 bits or more", Name(precision)));
  }
  TAMIS_ASSIGN_OR_RETURN(const DType wanted, DTypeAttribute(context, "output_dtype"));
  DType y = wanted;
  if (context.HasInput(2)) {
    y = context.InputDType(2);
    if (wanted != DType::kUndefined && y != DType::kUndefined && wanted != y) {
      return context.Error(fmt::format("output_dtype is {} but the zero point is {}", Name(wanted), Name(y)));
    }
  } else if (wanted == DType::kUndefined) {
    y = DType::kUInt8;
  }
  if (y != DType::kUndefined && !Quantized(y)) {
    return context.Error(
        fmt::format("the result would be {}, must be an integer of at most 16 bits, a float8 or a "
                    "float4",
                    Name(y)));
  }
  TAMIS_RETURN_IF_ERROR(CheckScales(context));
  if (context.InputShape(0) != nullptr) return SetShape(context, 0, y, *context.InputShape(0));
  context.SetOutputDType(0, y);
  return {};
}

// The quotient as the type `precision` has it.
double Quotient(double x, double scale, DType precision) {
  if (precision == DType::kFloat64) return x / scale;
  const auto narrow = [precision](float value) {
    if (precision == DType::kFloat16) return HalfToFloat(FloatToHalf(value));
    if (precision == DType::kBFloat16) return Bf16ToFloat(FloatToBf16(value));
    return value;
  };
  return static_cast<double>(narrow(narrow(static_cast<float>(x)) / narrow(static_cast<float>(scale))));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindAny(context));
  const Tensor& x = *context.input(0);
  const Tensor& scale = *context.input(1);
  Tensor& y = context.outputs[0];
  TAMIS_ASSIGN_OR_RETURN(DType precision, DTypeAttribute(*bound->infer, "precision"));
  if (precision == DType::kUndefined) precision = scale.dtype();
  const ScaleIndex index(x.dims(), scale.dims(), context.node.Int("axis", 1), context.node.Int("block_size", 0));
  const Tensor scales = Centered(scale, nullptr, DType::kFloat64);
  const Tensor zeros = context.input(2) != nullptr ? Centered(*context.input(2), nullptr, DType::kFloat64) : Tensor();
  const bool integer = IsInteger(y.dtype());
  const bool saturate = context.node.Int("saturate", 1) != 0;
  const IntegerRange range = RangeOf(y.dtype());
  constexpr int64_t kBlock = 512;
  const WideReader reader(x, x.dims());
  std::array<double, kBlock> values;
  for (int64_t begin = 0; begin < x.NumElements(); begin += kBlock) {
    const auto block = std::span(values).first(static_cast<size_t>(std::min(kBlock, x.NumElements() - begin)));
    reader.Read<double>(begin, block);
    for (size_t i = 0; i < block.size(); ++i) {
      const int64_t at = index(begin + static_cast<int64_t>(i));
      const double quotient = Quotient(block[i], scales.Data<double>()[at], precision);
      const double zero = zeros.Defined() ? zeros.Data<double>()[at] : 0;
      block[i] = integer ? Saturated(quotient, zero, range) : quotient + zero;
      if (!integer && !saturate) block[i] = DecodeSmallFloat(y.dtype(), EncodeSmallFloat(y.dtype(), block[i], false));
    }
    WriteWide<double>(y, begin, block);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor scale = SampleFloats(1, {3}, 0.1, 1);
  return {{{SampleFloats(2, {2, 3, 4}, -50, 50), Tensor::Float(0.3f)}, {}},
          {{SampleFloats(3, {2, 3, 4}, -50, 50), scale, Tensor(DType::kInt8, {3})}, {}},
          {{SampleFloats(4, {4, 5}, -9, 9), SampleFloats(5, {4, 3}, 0.5, 2)},
           {{"block_size", int64_t{2}}, {"output_dtype", int64_t{22}}}}};
}

}  // namespace

extern const OpDef op_quantize_linear = {.name = "QuantizeLinear",
                                         .domain = "",
                                         .since_opset = 10,
                                         .infer = Infer,
                                         .eval = Eval,
                                         .test_cases = Cases,
                                         .widen_half = false};

}  // namespace tamis
