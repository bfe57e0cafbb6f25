// DynamicQuantizedLinear (src/ops/op_quantized.h).
#include <algorithm>

#include "src/ops/op_case.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 4, &problems);
  operands.CheckDType(0, {DType::kFloat32}, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  operands.CheckRank(1, 2, &problems);
  if (operands.node().Has("y_dtype")) problems.Add("y can't be quantised");
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(DType::kFloat32)};
  CheckQuantized(operands, (*weight)[0], &problems);
  if (!MayEqual(x->back(), (*weight)[1])) {
    problems.Add("the weight {} doesn't fit the input {}", ToString(*weight), ToString(*x));
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = *x;
  y.back() = (*weight)[0];
  return std::vector<Type>{Type::Tensor(DType::kFloat32, std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  const Tensor& weight = *context.input(1);
  const QuantizedWriter writer(context, context.outputs[0]);
  const int64_t k = weight.dim(1), n = weight.dim(0);
  const auto values = x.Span<float>();
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  const DynamicScale scale = values.empty() ? DynamicScale() : DynamicScaleOf(*lowest, *highest);
  for (int64_t i = 0; i < context.outputs[0].NumElements(); ++i) {
    int64_t sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      const int64_t code = int64_t{scale.Quantized(values[static_cast<size_t>(i / n * k + j)])} - scale.zero;
      sum += code * weight.Data<int8_t>()[i % n * k + j];
    }
    writer.Write(i, i % n, static_cast<double>(sum), static_cast<double>(scale.scale));
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x119);
  Tensor weight(DType::kInt8, {9, 24});
  const Tensor codes = make.Integers({9, 24}, -127, 127);
  for (int64_t i = 0; i < 9 * 24; ++i) weight.Data<int8_t>()[i] = static_cast<int8_t>(codes.Data<int64_t>()[i]);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 5, 24}, -3, 1), weight, make.Floats({9}, 0, 0.1f), make.Floats({9})}, {}});
  cases.push_back(
      {{make.Floats({1, 24}, 1, 2), weight, make.Floats({9}, 0, 0.1f)}, {{"activation", std::string("Gelu")}}});
  return cases;
}

}  // namespace

extern const OpDef op_dynamic_quantized_linear = {.name = "DynamicQuantizedLinear",
                                                  .domain = kTamisDomain,
                                                  .since_opset = 1,
                                                  .infer = Infer,
                                                  .eval = Eval,
                                                  .test_cases = TestCases};

}  // namespace tamis
