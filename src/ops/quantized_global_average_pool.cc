// QuantizedGlobalAveragePool (src/ops/op_quantized.h).
#include "src/ops/op_case.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckDType(0, {DType::kUInt8, DType::kInt8}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  if (!(operands.node().Float("x_scale", 0) > 0)) problems.Add("attribute 'x_scale' must be positive");
  CheckZeroPoint(operands.node(), "x_zero_point", operands.dtype(0), &problems);
  CheckQuantizedResult(operands.node(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType y = QuantizedOutputDType(operands.node());
  const Shape* x = operands.shape(0);
  if (x == nullptr) return std::vector<Type>{Unranked(y)};
  Shape shape(x->size(), Dim(1));
  shape.front() = x->front();
  shape.back() = x->back();
  return std::vector<Type>{Type::Tensor(y, std::move(shape))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  const int64_t batch = x.dim(0), channels = x.dim(-1);
  if (batch == 0 || channels == 0) return {};
  const int64_t pixels = x.NumElements() / batch / channels;
  const CodeReader reader(context.node, "x", &x);
  const CodeWriter writer(context.node, context.outputs[0]);
  for (int64_t i = 0; i < batch * channels; ++i) {
    double sum = 0;
    for (int64_t p = 0; p < pixels; ++p) sum += reader((i / channels * pixels + p) * channels + i % channels);
    writer.Write(i, pixels == 0 ? 0 : sum / static_cast<double>(pixels));
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  const std::map<std::string, Attribute> attributes = {{"x_scale", 0.03f},
                                                       {"x_zero_point", int64_t{12}},
                                                       {"y_dtype", static_cast<int64_t>(DType::kUInt8)},
                                                       {"y_scale", 0.02f},
                                                       {"y_zero_point", int64_t{3}}};
  return {{{SampleBytes(DType::kUInt8, 1, {2, 7, 5, 33})}, attributes},
          {{SampleBytes(DType::kInt8, 2, {1, 9, 4})}, {{"x_scale", 0.5f}, {"x_zero_point", int64_t{-3}}}}};
}

}  // namespace

extern const OpDef op_quantized_global_average_pool = {.name = "QuantizedGlobalAveragePool",
                                                       .domain = kTamisDomain,
                                                       .since_opset = 1,
                                                       .infer = Infer,
                                                       .eval = Eval,
                                                       .test_cases = TestCases};

}  // namespace tamis
