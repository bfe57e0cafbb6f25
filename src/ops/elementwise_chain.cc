// ElementwiseChain (src/ops/op_tamis.h): several elementwise operators in one walk over the elements.
#include <array>

#include "src/ops/op_broadcast_read.h"
#include "src/ops/op_case.h"
#include "src/ops/op_chain.h"
#include "src/ops/op_epilogue.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, kMaxChainInputs, &problems);
  const size_t count = operands.node().inputs.size();
  for (size_t i = 0; i < count; ++i) {
    if (!operands.Has(i)) problems.Add("input {} is missing", i);
    CheckTamisFloat(operands, i, &problems);
  }
  const DType dtype = TamisOutputDType(operands, &problems);
  const auto steps = ReadChain(operands.node());
  if (!steps.ok()) problems.Add("{}", steps.status().message());
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y;
  for (size_t i = 0; i < count; ++i) {
    const Shape* shape = operands.shape(i);
    if (shape == nullptr) return std::vector<Type>{Unranked(dtype)};
    const auto joined = JoinShapes(y, *shape);
    if (!joined) return UserError("{} and {} don't broadcast", ToString(y), ToString(*shape));
    y = *joined;
  }
  return std::vector<Type>{Type::Tensor(dtype, y)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  TAMIS_ASSIGN_OR_RETURN(const std::vector<ChainStep> steps, ReadChain(context.node));
  Tensor& y = context.outputs[0];
  std::vector<BroadcastIndex> indices;
  for (const Tensor* input : context.inputs) indices.emplace_back(input->dims(), y.dims());
  std::array<double, kMaxChainInputs + kMaxChainSteps> values{};
  const size_t inputs = indices.size();
  for (int64_t at = 0; at < y.NumElements(); ++at) {
    for (size_t i = 0; i < inputs; ++i) {
      values[i] = static_cast<double>(context.inputs[i]->Data<float>()[indices[i](at)]);
    }
    for (size_t i = 0; i < steps.size(); ++i) {
      const ChainStep& step = steps[i];
      const double right = IsBinary(step.op) ? values[static_cast<size_t>(step.right)] : 0;
      values[inputs + i] = ApplyStep(step, values[static_cast<size_t>(step.left)], right);
    }
    y.Data<float>()[at] = static_cast<float>(values[inputs + steps.size() - 1]);
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xc4a1);
  const auto attributes = [](const std::vector<ChainStep>& steps) {
    Node node;
    WriteChain(steps, &node);
    return node.attributes;
  };
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 700}), make.Floats({700})},
                   attributes({{ChainOp::kMul, 0, 1}, {ChainOp::kSigmoid, 2}, {ChainOp::kAdd, 3, 0}})});
  // A value of one number a row on both sides of a step.
  cases.push_back({{make.Floats({2, 3, 1}), make.Floats({3, 1}), make.Floats({2, 1, 40})},
                   attributes({{ChainOp::kSub, 0, 1}, {ChainOp::kExp, 3}, {ChainOp::kMax, 2, 4}})});
  // Every step of one operand.
  for (int op = static_cast<int>(ChainOp::kAffine); op <= static_cast<int>(ChainOp::kReciprocal); ++op) {
    cases.push_back({{make.Floats({5, 33}, 0.25f, 2), make.Floats({5, 33})},
                     attributes({{static_cast<ChainOp>(op), 0, 0, 0.3f, 0.9f, 0.7f}, {ChainOp::kDiv, 1, 2}})});
  }
  return cases;
}

}  // namespace

extern const OpDef op_elementwise_chain = {.name = "ElementwiseChain",
                                           .domain = kTamisDomain,
                                           .since_opset = 1,
                                           .infer = Infer,
                                           .eval = Eval,
                                           .test_cases = TestCases};

}  // namespace tamis
