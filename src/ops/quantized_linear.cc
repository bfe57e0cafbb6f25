// QuantizedLinear (src/ops/op_quantized.h).
#include "src/ops/op_case.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 5, &problems);
  operands.CheckDType(0, {DType::kUInt8, DType::kInt8}, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  operands.CheckRank(1, 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  const DType dtype = QuantizedOutputDType(operands.node());
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  CheckQuantized(operands, (*weight)[0], &problems);
  if (!MayEqual(x->back(), (*weight)[1])) {
    problems.Add("the weight {} doesn't fit the input {}", ToString(*weight), ToString(*x));
  }
  Shape y = *x;
  y.back() = (*weight)[0];
  CheckQuantizedResidual(operands, y, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const QuantizedWriter writer(context, context.outputs[0]);
  const int64_t zero = context.node.Int("x_zero_point", 0), k = weight.dim(1), n = weight.dim(0);
  for (int64_t i = 0; i < context.outputs[0].NumElements(); ++i) {
    int64_t sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      const int64_t at = i / n * k + j;
      const int64_t code = x.dtype() == DType::kUInt8 ? int64_t{x.Data<uint8_t>()[at]} : int64_t{x.Data<int8_t>()[at]};
      sum += (code - zero) * weight.Data<int8_t>()[i % n * k + j];
    }
    writer.Write(i, i % n, static_cast<double>(sum));
  }
  return {};
}

Tensor Codes(CaseMaker& make, DType dtype, const Dims& dims) {
  Tensor tensor(dtype, dims);
  const Tensor values = make.Integers(dims, dtype == DType::kUInt8 ? 0 : -128, dtype == DType::kUInt8 ? 255 : 127);
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    reinterpret_cast<uint8_t*>(tensor.raw())[i] = static_cast<uint8_t>(values.Data<int64_t>()[i]);
  }
  return tensor;
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x118);
  std::vector<OpTestCase> cases;
  cases.push_back(
      {{Codes(make, DType::kUInt8, {5, 20}), Codes(make, DType::kInt8, {7, 20}), make.Floats({7}, 0, 1e-3f)},
       {{"x_zero_point", int64_t{131}}}});
  cases.push_back({{Codes(make, DType::kInt8, {2, 3, 33}), Codes(make, DType::kInt8, {9, 33}),
                    make.Floats({9}, 0, 1e-3f), make.Floats({9})},
                   {{"x_zero_point", int64_t{-3}},
                    {"activation", std::string("Relu")},
                    {"y_dtype", static_cast<int64_t>(DType::kUInt8)},
                    {"y_scale", 0.02f},
                    {"y_zero_point", int64_t{4}}}});
  OpTestCase residual = cases[1];
  residual.inputs.push_back(make.Floats({2, 3, 9}));
  cases.push_back(std::move(residual));
  return cases;
}

}  // namespace

extern const OpDef op_quantized_linear = {.name = "QuantizedLinear",
                                          .domain = kTamisDomain,
                                          .since_opset = 1,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = TestCases};

}  // namespace tamis
