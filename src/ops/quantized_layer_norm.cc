// QuantizedLayerNorm (src/ops/op_quantized.h).
#include <array>

#include "src/ops/op_case.h"
#include "src/ops/op_def.h"
#include "src/ops/op_norm_rule.h"
#include "src/ops/op_quantize.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

constexpr int kOpset = 17;  // which has LayerNormalization

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 3, &problems);
  for (size_t i = 0; i < 3; ++i) operands.CheckDType(i, {DType::kFloat32}, &problems);
  const DType y = QuantizedOutputDType(operands.node());
  if (y == DType::kFloat32) problems.Add("attribute 'y_dtype' must name uint8 or int8");
  CheckQuantizedResult(operands.node(), &problems);
  const Shape* x = operands.shape(0);
  if (x == nullptr) {
    TAMIS_RETURN_IF_ERROR(problems.status());
    return std::vector<Type>{Unranked(y)};
  }
  CheckNormalisedRows(operands, *x, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(y, *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < context.node.inputs.size(); ++i) operands.push_back(context.input(i));
  constexpr std::array<DType, 1> kF32 = {DType::kFloat32};
  TAMIS_ASSIGN_OR_RETURN(const auto normal, EvaluateNode(LayerNormOf(context.node), kOpset, operands, kF32));
  const CodeWriter writer(context.node, context.outputs[0]);
  for (int64_t i = 0; i < normal[0].NumElements(); ++i) writer.Write(i, normal[0].Data<float>()[i]);
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x122);
  const std::map<std::string, Attribute> codes = {
      {"y_dtype", static_cast<int64_t>(DType::kUInt8)}, {"y_scale", 0.02f}, {"y_zero_point", int64_t{120}}};
  auto two_axes = codes;
  two_axes["axis"] = int64_t{1};
  two_axes["epsilon"] = 1e-3f;
  two_axes["y_dtype"] = static_cast<int64_t>(DType::kInt8);
  two_axes["y_zero_point"] = int64_t{-7};
  return {{{make.Floats({2, 5, 77}), make.Floats({77}), make.Floats({77})}, codes},
          {{make.Floats({3, 4, 160}, 9, 10), make.Floats({4, 160}), Tensor()}, two_axes},
          {{make.Floats({1, 700}), make.Floats({700})}, codes}};
}

}  // namespace

Node LayerNormOf(const Node& node) {
  Node norm;
  norm.op = "LayerNormalization";
  norm.inputs = node.inputs;
  norm.outputs = {node.outputs[0]};
  norm.attributes = {{"axis", node.Int("axis", -1)}, {"epsilon", node.Float("epsilon", 1e-5f)}};
  return norm;
}

extern const OpDef op_quantized_layer_norm = {.name = "QuantizedLayerNorm",
                                              .domain = kTamisDomain,
                                              .since_opset = 1,
                                              .infer = Infer,
                                              .eval = Eval,
                                              .test_cases = TestCases};

}  // namespace tamis
