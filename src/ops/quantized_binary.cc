// QuantizedBinary (src/ops/op_quantized.h).
#include "src/ops/op_case.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 2, &problems);
  for (size_t i : {size_t{0}, size_t{1}}) {
    operands.CheckDType(i, {DType::kUInt8, DType::kInt8, DType::kFloat32}, &problems);
    const std::string name = i == 0 ? "a" : "b", scale = name + "_scale";
    const bool codes = operands.dtype(i) != DType::kFloat32 && operands.dtype(i) != DType::kUndefined;
    if (codes && !(operands.node().Float(scale, 0) > 0)) problems.Add("attribute '{}' must be positive", scale);
    CheckZeroPoint(operands.node(), name + "_zero_point", operands.dtype(i), &problems);
  }
  const std::string function = operands.node().String("function", "");
  if (function != "Add" && function != "Mul") problems.Add("attribute 'function' is '{}', not Add or Mul", function);
  CheckQuantizedResult(operands.node(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const DType y = QuantizedOutputDType(operands.node());
  if (operands.shape(0) == nullptr || operands.shape(1) == nullptr) return std::vector<Type>{Unranked(y)};
  const auto shape = JoinShapes(*operands.shape(0), *operands.shape(1));
  if (!shape) return UserError("{} and {} don't broadcast", ToString(*operands.shape(0)), ToString(*operands.shape(1)));
  return std::vector<Type>{Type::Tensor(y, *shape)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// Where element `index` of a result of dims `y` comes from in an operand of dims `from`.
int64_t SourceIndex(int64_t index, const Dims& y, const Dims& from) {
  int64_t source = 0, step = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t size = y[y.size() - 1 - i], own = from[from.size() - 1 - i];
    if (own != 1) source += index % size * step;
    step *= own;
    index /= size;
  }
  return source;
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  Tensor& y = context.outputs[0];
  const Tensor &a = *context.input(0), &b = *context.input(1);
  const CodeReader left(context.node, "a", &a), right(context.node, "b", &b);
  const CodeWriter writer(context.node, y);
  const bool add = context.node.String("function", "") == "Add";
  for (int64_t i = 0; i < y.NumElements(); ++i) {
    const double p = left(SourceIndex(i, y.dims(), a.dims())), q = right(SourceIndex(i, y.dims(), b.dims()));
    writer.Write(i, add ? p + q : p * q);
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x121);
  const std::map<std::string, Attribute> add = {{"function", std::string("Add")},
                                                {"a_scale", 0.02f},
                                                {"a_zero_point", int64_t{130}},
                                                {"b_scale", 0.03f},
                                                {"b_zero_point", int64_t{-4}},
                                                {"activation", std::string("Relu")},
                                                {"y_dtype", static_cast<int64_t>(DType::kUInt8)},
                                                {"y_scale", 0.025f},
                                                {"y_zero_point", int64_t{2}}};
  auto mul = add;
  mul["function"] = std::string("Mul");
  mul["activation"] = std::string();
  mul["y_dtype"] = static_cast<int64_t>(DType::kInt8);
  auto to_float = mul;
  for (const char* name : {"y_dtype", "y_scale", "y_zero_point"}) to_float.erase(name);
  auto gelu = add;  // a product's codes and its bias
  gelu["activation"] = std::string("Gelu");
  auto gelu_signed = gelu;
  gelu_signed["a_zero_point"] = int64_t{-6};
  gelu_signed["y_dtype"] = static_cast<int64_t>(DType::kInt8);
  return {{{SampleBytes(DType::kUInt8, 7, {2, 2, 37}), make.Floats({37})}, gelu},
          {{SampleBytes(DType::kInt8, 8, {3, 16}), make.Floats({3, 16})}, gelu_signed},
          {{SampleBytes(DType::kUInt8, 1, {2, 3, 17}), SampleBytes(DType::kInt8, 2, {2, 3, 17})}, add},
          {{SampleBytes(DType::kUInt8, 3, {2, 3, 4, 17}), SampleBytes(DType::kInt8, 4, {2, 1, 1, 17})}, mul},
          {{SampleBytes(DType::kUInt8, 5, {2, 33}), make.Floats({33})}, mul},
          {{make.Floats({3, 20}), SampleBytes(DType::kInt8, 6, {3, 20})}, to_float}};
}

}  // namespace

extern const OpDef op_quantized_binary = {.name = "QuantizedBinary",
                                          .domain = kTamisDomain,
                                          .since_opset = 1,
                                          .infer = Infer,
                                          .eval = Eval,
                                          .test_cases = TestCases};

}  // namespace tamis
