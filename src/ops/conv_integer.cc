// ConvInteger: Conv of (x - x_zero) and (w - w_zero) in int32; padding is the zero point.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

// Inputs: x, w, zero point of x?, zero point of w?.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 4));
  for (size_t i = 0; i < 2; ++i) {
    const DType dtype = context.InputDType(i);
    if (dtype != DType::kUndefined && dtype != DType::kInt8 && dtype != DType::kUInt8) {
      return context.Error(fmt::format("input {} is {}, must be int8 or uint8", i, Name(dtype)));
    }
    TAMIS_RETURN_IF_ERROR(CheckSameDType(context, i, i + 2));
  }
  if (const Shape* zero = context.InputShape(2);
      zero != nullptr && (zero->size() > 1 || (zero->size() == 1 && !MayEqual((*zero)[0], Dim(1))))) {
    return context.Error(fmt::format("the zero point of x must be one number, has dimensions {}", ToString(*zero)));
  }
  TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, 3, 1, Operand8::kFilters));
  TAMIS_ASSIGN_OR_RETURN(
      Type y, InferAs(context, "Conv", {TypeAs(context, 0, DType::kFloat64), TypeAs(context, 1, DType::kFloat64)}));
  y.dtype = DType::kInt32;
  context.SetOutput(0, std::move(y));
  return {};
}

// In double, where sums of products of bytes are exact.
Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const auto centered = [&](size_t i) {
    const Tensor& operand = *context.input(i);
    if (context.input(i + 2) == nullptr) return Centered(operand, nullptr, DType::kFloat64);
    const Tensor zeros = ScalesFor(*context.input(i + 2), operand.dims(), Operand8::kFilters);
    return Centered(operand, &zeros, DType::kFloat64);
  };
  TAMIS_ASSIGN_OR_RETURN(const Tensor sums, EvaluateAs(context, "Conv", {centered(0), centered(1)}));
  context.outputs[0] = Tensor(DType::kInt32, sums.dims());
  for (int64_t i = 0; i < sums.NumElements(); ++i) {
    context.outputs[0].Data<int32_t>()[i] = static_cast<int32_t>(static_cast<int64_t>(sums.Data<double>()[i]));
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor x = SampleBytes(DType::kUInt8, 2, {1, 2, 5, 4});
  const Tensor w = SampleBytes(DType::kInt8, 3, {3, 2, 2, 3});
  Tensor zero(DType::kUInt8, {});
  *zero.Data<uint8_t>() = 9;
  return {{{x, w}, {}}, {{x, w, zero, Tensor(DType::kInt8, {3})}, {{"pads", Dims{1, 0, 1, 2}}}}};
}

}  // namespace

extern const OpDef op_conv_integer = {
    .name = "ConvInteger", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
