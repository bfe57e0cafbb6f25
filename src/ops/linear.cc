// Linear (src/ops/op_tamis.h): y = act(x . weight^T + bias + residual).
#include "src/ops/op_case.h"
#include "src/ops/op_epilogue.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(2, 4, &problems);
  for (size_t i = 0; i < 2; ++i) CheckTamisFloat(operands, i, &problems);
  operands.CheckRankAtLeast(0, 1, &problems);
  operands.CheckRank(1, 2, &problems);
  const DType dtype = TamisOutputDType(operands, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(dtype)};
  if (!MayEqual(x->back(), (*weight)[1])) {
    problems.Add("the weight {} takes {} features but the input {} has {}", ToString(*weight), (*weight)[1].ToString(),
                 ToString(*x), x->back().ToString());
  }
  Shape y = *x;
  y.back() = (*weight)[0];
  CheckEpilogue(operands, y, &problems);
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
  const EpilogueReference epilogue(context);
  const int64_t k = weight.dim(1);
  const int64_t n = weight.dim(0);
  float* y = context.outputs[0].Data<float>();
  const int64_t count = context.outputs[0].NumElements();
  for (int64_t i = 0; i < count; ++i) {
    y[i] = epilogue(Dot(x.Data<float>() + i / n * k, weight.Data<float>() + i % n * k, k), i % n, i);
  }
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x11ea4);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({5, 16}), make.Floats({8, 16})}, {}});
  cases.push_back({{make.Floats({2, 3, 13}), make.Floats({7, 13}), make.Floats({7}), make.Floats({2, 3, 7})},
                   {{"activation", std::string("Relu")}}});
  cases.push_back(
      {{make.Floats({33, 64}), make.Floats({48, 64}), make.Floats({48})}, {{"activation", std::string("Gelu")}}});
  cases.push_back({{make.Floats({1, 31}), make.Floats({17, 31}), Tensor(), make.Floats({1, 17})},
                   {{"activation", std::string("Clip")}, {"clip_min", -0.5f}, {"clip_max", 1.0f}}});
  for (const char* name : {"GeluTanh", "Silu", "HardSwish", "Sigmoid", "Tanh", "Mish"}) {
    cases.push_back(
        {{make.Floats({4, 20}, -2, 2), make.Floats({9, 20}), make.Floats({9})}, {{"activation", std::string(name)}}});
  }
  for (const char* name : {"LeakyRelu", "Elu", "HardSigmoid", "Swish"}) {
    cases.push_back({{make.Floats({4, 20}, -2, 2), make.Floats({9, 20}), make.Floats({9})},
                     {{"activation", std::string(name)}, {"alpha", 0.3f}, {"beta", 0.4f}}});
  }
  return cases;
}

}  // namespace

extern const OpDef op_linear = {.name = "Linear",
                                .domain = kTamisDomain,
                                .since_opset = 1,
                                .infer = Infer,
                                .eval = Eval,
                                .sparse = {.weight_input = 1},
                                .test_cases = TestCases};

}  // namespace tamis
