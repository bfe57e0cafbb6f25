// DequantizeLinear: (x - zero point) * scale, for the tensor, an axis or blocks of an axis.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

// Inputs: x, scale, zero point?.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 3));
  const DType x = context.InputDType(0);
  const bool integer = IsInteger(x) && (BitSize(x) <= 16 || x == DType::kInt32);
  if (x != DType::kUndefined && !integer && !(IsSmallFloat(x) && x != DType::kFloat8E8M0)) {
    return context.Error(
        fmt::format("input 0 is {}, must be int32, an integer of at most 16 bits, a float8 or a float4", Name(x)));
  }
  TAMIS_RETURN_IF_ERROR(CheckScaleDType(context, 1));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 2));
  TAMIS_ASSIGN_OR_RETURN(DType y, DTypeAttribute(context, "output_dtype"));
  if (y == DType::kUndefined) y = context.InputDType(1);
  if (y != DType::kUndefined && !(IsFloat(y) && BitSize(y) >= 16)) {
    return context.Error(
        fmt::format("the result would be {}; output_dtype must name float32, float16 or bfloat16", Name(y)));
  }
  TAMIS_RETURN_IF_ERROR(CheckScales(context));
  if (context.InputShape(0) != nullptr) return SetShape(context, 0, y, *context.InputShape(0));
  context.SetOutputDType(0, y);
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const Tensor& x = *context.input(0);
  const Tensor& scale = *context.input(1);
  Tensor& y = context.outputs[0];
  const ScaleIndex index(x.dims(), scale.dims(), context.node.Int("axis", 1), context.node.Int("block_size", 0));
  const Tensor scales = Centered(scale, nullptr, DType::kFloat64);
  const Tensor zeros = context.input(2) != nullptr ? Centered(*context.input(2), nullptr, DType::kFloat64) : Tensor();
  constexpr int64_t kBlock = 512;
  const WideReader reader(x, x.dims());
  std::array<double, kBlock> values;
  for (int64_t begin = 0; begin < x.NumElements(); begin += kBlock) {
    const auto block = std::span(values).first(static_cast<size_t>(std::min(kBlock, x.NumElements() - begin)));
    reader.Read<double>(begin, block);
    for (size_t i = 0; i < block.size(); ++i) {
      const int64_t at = index(begin + static_cast<int64_t>(i));
      const double zero = zeros.Defined() ? zeros.Data<double>()[at] : 0;
      block[i] = (block[i] - zero) * scales.Data<double>()[at];
    }
    WriteWide<double>(y, begin, block);
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor codes = SampleBytes(DType::kUInt8, 3, {2, 3, 5});
  const Tensor small = Tensor::View(DType::kInt4, {4, 6}, codes.raw(), nullptr).Clone();
  return {{{codes, Tensor::Float(0.3f)}, {}},
          {{codes, SampleFloats(1, {3}, 0.1, 1), Tensor(DType::kUInt8, {3})}, {}},
          {{small, SampleFloats(2, {2, 6}, 0.5, 2)}, {{"axis", int64_t{0}}, {"block_size", int64_t{2}}}}};
}

}  // namespace

extern const OpDef op_dequantize_linear = {.name = "DequantizeLinear",
                                           .domain = "",
                                           .since_opset = 10,
                                           .infer = Infer,
                                           .eval = Eval,
                                           .test_cases = Cases,
                                           .widen_half = false};

}  // namespace tamis
