// QuantizedLookup (src/ops/op_quantized.h).
#include "src/ops/op_case.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckDType(0, {DType::kUInt8, DType::kInt8}, &problems);
  const DType y = QuantizedOutputDType(operands.node());
  if (y == DType::kFloat32) problems.Add("attribute 'y_dtype' must name uint8 or int8");
  CheckTable(operands.node(), y, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (operands.shape(0) == nullptr) return std::vector<Type>{Unranked(y)};
  return std::vector<Type>{Type::Tensor(y, *operands.shape(0))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  const std::vector<int64_t> table = context.node.Ints("table");
  for (int64_t i = 0; i < x.NumElements(); ++i) {
    const auto code = std::to_integer<size_t>(x.raw()[i]);
    context.outputs[0].raw()[i] = static_cast<std::byte>(table[code]);
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x120);
  const Tensor codes = make.Integers({256}, -128, 127);
  const std::vector<int64_t> table(codes.Span<int64_t>().begin(), codes.Span<int64_t>().end());
  return {{{SampleBytes(DType::kUInt8, 1, {3, 5, 7})},
           {{"table", table}, {"y_dtype", static_cast<int64_t>(DType::kInt8)}, {"y_scale", 0.1f}}}};
}

}  // namespace

extern const OpDef op_quantized_lookup = {.name = "QuantizedLookup",
                                          .domain = kTamisDomain,
                                          .since_opset = 1,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = TestCases};

}  // namespace tamis
