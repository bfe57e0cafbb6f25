// MatMulInteger: (a - a_zero) . (b - b_zero) in int32, which wraps; one zero point a row of a and a column of b.
#include "src/ops/op_elementwise.h"
#include "src/ops/op_quantize.h"

namespace tamis {
namespace {

// Inputs: a, b, zero point of a?, zero point of b?.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 4));
  for (size_t i = 0; i < 2; ++i) {
    const DType dtype = context.InputDType(i);
    if (dtype != DType::kUndefined && dtype != DType::kInt8 && dtype != DType::kUInt8) {
      return context.Error(fmt::format("input {} is {}, must be int8 or uint8", i, Name(dtype)));
    }
    TAMIS_RETURN_IF_ERROR(CheckSameDType(context, i, i + 2));
  }
  TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, 2, 0, Operand8::kRows));
  TAMIS_RETURN_IF_ERROR(CheckScalesFor(context, 3, 1, Operand8::kColumns));
  TAMIS_ASSIGN_OR_RETURN(
      Type y, InferAs(context, "MatMul", {TypeAs(context, 0, DType::kInt32), TypeAs(context, 1, DType::kInt32)}));
  context.SetOutput(0, std::move(y));
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const auto centered = [&](size_t i, Operand8 kind) {
    const Tensor& operand = *context.input(i);
    if (context.input(i + 2) == nullptr) return Centered(operand, nullptr, DType::kInt32);
    const Tensor zeros = ScalesFor(*context.input(i + 2), operand.dims(), kind);
    return Centered(operand, &zeros, DType::kInt32);
  };
  TAMIS_ASSIGN_OR_RETURN(
      context.outputs[0],
      EvaluateAs(context, "MatMul", {centered(0, Operand8::kRows), centered(1, Operand8::kColumns)}));
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleBytes(DType::kInt8, 1, {3, 5}), SampleBytes(DType::kInt8, 2, {5, 4})}, {}},
          {{SampleBytes(DType::kUInt8, 3, {2, 3, 5}), SampleBytes(DType::kInt8, 4, {5, 4}),
            SampleBytes(DType::kUInt8, 5, {3}), SampleBytes(DType::kInt8, 6, {4})},
           {}}};
}

}  // namespace

extern const OpDef op_mat_mul_integer = {
    .name = "MatMulInteger", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
