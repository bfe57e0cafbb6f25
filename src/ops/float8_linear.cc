// Float8Linear (src/cuda/fuse_for_cuda.h): y = act(scale[n] * (codes of x . codes of the weight) + bias + residual).
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_float8.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 5, &problems);
  for (size_t i = 0; i < 2; ++i) operands.CheckDType(i, {DType::kFloat8E4M3}, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  operands.CheckRank(1, 2, &problems);
  if (!operands.node().Has("output_dtype")) problems.Add("needs the attribute 'output_dtype'");
  const DType dtype = TamisOutputDType(operands, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  if (!MayEqual(x->back(), (*weight)[1])) {
    problems.Add("the weight {} doesn't fit the input {}", ToString(*weight), ToString(*x));
  }
  Shape y = *x;
  y.back() = (*weight)[0];
  for (size_t i = 2; i < 4; ++i) {  // scale and bias
    operands.CheckDType(i, {DType::kFloat32}, &problems);
    operands.CheckShape(i, {y.back()}, &problems);
  }
  CheckTamisFloat(operands, 4, &problems);
  operands.CheckShape(4, y, &problems);
  if (const std::string name = operands.node().String("activation", ""); !ActivationFromName(name)) {
    problems.Add("attribute 'activation' is '{}', which is not an activation", name);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

std::vector<double> Decoded(const Tensor& codes) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    numbers.push_back(static_cast<double>(DecodeFloat8(static_cast<uint8_t>(codes.raw()[i]))));
  }
  return numbers;
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const std::vector<double> x = Decoded(*context.input(0)), weight = Decoded(*context.input(1));
  const Epilogue epilogue = QuantizedActivation(context.node);
  const Tensor *scale = context.input(2), *bias = context.input(3), *residual = context.input(4);
  const auto n = static_cast<size_t>(context.input(1)->dim(0)), k = static_cast<size_t>(context.input(1)->dim(1));
  Tensor& y = context.outputs[0];
  for (size_t i = 0; i < static_cast<size_t>(y.NumElements()); ++i) {
    double sum = 0;
    for (size_t j = 0; j < k; ++j) sum += x[i / n * k + j] * weight[i % n * k + j];
    sum *= static_cast<double>(scale->Data<float>()[i % n]);
    if (bias != nullptr && bias->Defined()) sum += static_cast<double>(bias->Data<float>()[i % n]);
    if (residual != nullptr && residual->Defined()) sum += static_cast<double>(residual->Data<float>()[i]);
    y.Data<float>()[i] = static_cast<float>(Apply(epilogue, sum));
  }
  return {};
}

Tensor Codes(CaseMaker& make, const Dims& dims) {
  const Tensor numbers = make.Floats(dims, -8, 8);
  Tensor codes(DType::kFloat8E4M3, dims);
  for (int64_t i = 0; i < codes.NumElements(); ++i) {
    codes.raw()[i] = static_cast<std::byte>(EncodeFloat8(numbers.Data<float>()[i]));
  }
  return codes;
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xf8);
  const auto f32 = static_cast<int64_t>(DType::kFloat32);
  std::vector<OpTestCase> cases;
  cases.push_back({{Codes(make, {5, 32}), Codes(make, {16, 32}), make.Floats({16}, 0, 0.1f)}, {{"output_dtype", f32}}});
  cases.push_back({{Codes(make, {2, 3, 16}), Codes(make, {48, 16}), make.Floats({48}, 0, 0.1f), make.Floats({48}),
                    make.Floats({2, 3, 48})},
                   {{"output_dtype", f32}, {"activation", std::string("Gelu")}}});
  return cases;
}

}  // namespace

extern const OpDef op_float8_linear = {.name = "Float8Linear",
                                       .domain = kTamisDomain,
                                       .since_opset = 1,
                                       .infer = Infer,
                                       .eval = Eval,
                                       .test_cases = TestCases};

}  // namespace tamis
