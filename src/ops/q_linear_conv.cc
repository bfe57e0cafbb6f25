// QLinearConv: Conv of quantized operands, quantized; weights may have one scale and zero point an output channel.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

enum Input : size_t { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 8, 9));
  for (const size_t i : {kX, kW, kYZero}) {
    const DType dtype = context.InputDType(i);
    if (dtype != DType::kUndefined && dtype != DType::kInt8 && dtype != DType::kUInt8) {
      return context.Error(fmt::format("input {} is {}, must be int8 or uint8", size_t{i}, Name(dtype)));
    }
  }
  for (const size_t i : {kXScale, kWScale, kYScale}) TAMIS_RETURN_IF_ERROR(CheckScaleDType(context, i));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, kX, kXZero));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, kW, kWZero));
  if (const DType bias = context.InputDType(kBias); bias != DType::kUndefined && bias != DType::kInt32) {
    return context.Error(fmt::format("input 8, the bias, is {}, must be int32", Name(bias)));
  }
  for (const size_t i : {kXScale, kXZero, kYScale, kYZero}) {
    const Shape* shape = context.InputShape(i);
    if (shape == nullptr || shape->empty() || (shape->size() == 1 && MayEqual((*shape)[0], Dim(1)))) continue;
    return context.Error(fmt::format("input {} must be one number, has dimensions {}", size_t{i}, ToString(*shape)));
  }
  for (const size_t i : {kWScale, kWZero}) TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, i, kW, Operand8::kFilters));
  TAMIS_ASSIGN_OR_RETURN(Type y, InferAs(context, "Conv",
                                         {TypeAs(context, kX, DType::kFloat64), TypeAs(context, kW, DType::kFloat64),
                                          TypeAs(context, kBias, DType::kFloat64)}));
  y.dtype = context.InputDType(kYZero);
  context.SetOutput(0, std::move(y));
  return {};
}

double Number(const Tensor& tensor) {
  double value = 0;
  WideReader(tensor, tensor.dims()).Read<double>(0, std::span(&value, 1));
  return value;
}

// In double, where sums of products of bytes are exact.
Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindAny(context).status());
  const auto centered = [&](size_t i) {
    const Tensor zeros = ScalesFor(*context.input(i + 2), context.input(i)->dims(), Operand8::kFilters);
    return Centered(*context.input(i), &zeros, DType::kFloat64);
  };
  const Tensor* bias = context.input(kBias);
  TAMIS_ASSIGN_OR_RETURN(const Tensor sums, EvaluateAs(context, "Conv",
                                                       {centered(kX), centered(kW),
                                                        bias ? Centered(*bias, nullptr, DType::kFloat64) : Tensor()}));
  Tensor& y = context.outputs[0];
  const IntegerRange range = RangeOf(y.dtype());
  const double factor = Number(*context.input(kXScale)) / Number(*context.input(kYScale));
  const double zero = Number(*context.input(kYZero));
  const Tensor scales = Centered(*context.input(kWScale), nullptr, DType::kFloat64);
  const int64_t channels = y.dim(1);
  const int64_t inner = y.NumElements() == 0 ? 1 : y.NumElements() / (y.dim(0) * channels);
  for (int64_t i = 0; i < y.NumElements(); ++i) {
    const int64_t channel = scales.NumElements() == 1 ? 0 : i / inner % channels;
    const double value = Saturated(sums.Data<double>()[i] * (factor * scales.Data<double>()[channel]), zero, range);
    WriteWide<double>(y, i, std::span<const double>(&value, 1));
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor x = SampleBytes(DType::kUInt8, 2, {1, 2, 5, 4});
  const Tensor w = SampleBytes(DType::kInt8, 3, {3, 2, 2, 3});
  Tensor zero(DType::kUInt8, {});
  *zero.Data<uint8_t>() = 9;
  Tensor bias(DType::kInt32, {3});
  bias.Data<int32_t>()[1] = 1000;
  return {{{x, Tensor::Float(0.1f), zero, w, SampleFloats(1, {3}, 0.01, 0.1), Tensor(DType::kInt8, {3}),
            Tensor::Float(0.7f), zero, bias},
           {{"pads", Dims{1, 0, 1, 2}}}}};
}

}  // namespace

extern const OpDef op_q_linear_conv = {.name = "QLinearConv",
                                       .domain = "",
                                       .since_opset = 10,
                                       .infer = Infer,
                                       .eval = Eval,
                                       .test_cases = Cases,
                                       .widen_half = false};

}  // namespace tamis
