// MaskedMean (src/ops/op_tamis.h): sum_s(x * mask) / max(sum_s(mask), epsilon) for x[B, S, C], mask[B, S].
#include <algorithm>

#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 2, &problems);
  CheckTamisFloat(operands, 0, &problems);
  const DType mask = operands.dtype(1);
  const bool number = IsInteger(mask) && BitSize(mask) >= 8;
  if (!number && mask != DType::kBool && mask != DType::kUndefined) operands.CheckFloat(1, &problems);
  operands.CheckRank(0, 3, &problems);
  operands.CheckRank(1, 2, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  if (x == nullptr) return std::vector<Type>{Unranked(dtype)};
  operands.CheckShape(1, {(*x)[0], (*x)[1]}, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(dtype, {(*x)[0], (*x)[2]})};
}

std::vector<double> MaskValues(const Tensor& mask) {
  if (mask.dtype() == DType::kFloat64) {
    const auto span = mask.Span<double>();
    return {span.begin(), span.end()};
  }
  if (!IsFloat(mask.dtype())) {
    const std::vector<int64_t> integers = mask.ToInt64s();
    return {integers.begin(), integers.end()};
  }
  const auto span = mask.Span<float>();
  return {span.begin(), span.end()};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const Tensor& x = *context.input(0);
  const std::vector<double> mask = MaskValues(*context.input(1));
  const auto epsilon = static_cast<double>(context.node.Float("epsilon", 1e-9f));
  const int64_t steps = x.dim(1);
  const int64_t channels = x.dim(2);
  std::vector<double> sum(static_cast<size_t>(channels));
  for (int64_t b = 0; b < x.dim(0); ++b) {
    std::fill(sum.begin(), sum.end(), 0.0);
    double weight = 0;
    for (int64_t s = 0; s < steps; ++s) {
      const double factor = mask[static_cast<size_t>(b * steps + s)];
      const float* row = x.Data<float>() + (b * steps + s) * channels;
      weight += factor;
      for (int64_t c = 0; c < channels; ++c) sum[static_cast<size_t>(c)] += factor * static_cast<double>(row[c]);
    }
    const double divisor = std::max(weight, epsilon);
    std::transform(sum.begin(), sum.end(), context.outputs[0].Data<float>() + b * channels,
                   [divisor](double value) { return static_cast<float>(value / divisor); });
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a5c);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 7, 17}), make.Integers({2, 7}, 0, 1)}, {{"epsilon", 1e-9f}}});
  cases.push_back({{make.Floats({3, 5, 8}), make.Floats({3, 5}, 0, 1)}, {{"epsilon", 1e-9f}}});
  cases.push_back({{make.Floats({1, 4, 3}), Tensor(DType::kInt64, {1, 4})}, {{"epsilon", 1e-9f}}});  // all masked
  return cases;
}

}  // namespace

extern const OpDef op_masked_mean = {.name = "MaskedMean",
                                     .domain = kTamisDomain,
                                     .since_opset = 1,
                                     .infer = Infer,
                                     .eval = Eval,
                                     .test_cases = TestCases};

}  // namespace tamis
