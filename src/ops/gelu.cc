// Gelu: x * Phi(x), by erf or, with approximate = "tanh", by Hendrycks and Gimpel's tanh form (arXiv:1606.08415).
#include <algorithm>

#include "src/ops/op_case.h"
#include "src/ops/op_numeric.h"
#include "src/ops/op_rule.h"
#include "src/ops/op_tamis.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(1, 1, &problems);
  operands.CheckFloat(0, &problems);
  const std::string approximate = operands.node().String("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    problems.Add("attribute 'approximate' is '{}' but must be 'none' or 'tanh'", approximate);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  return std::vector<Type>{x == nullptr ? Unranked(operands.dtype(0)) : Type::Tensor(operands.dtype(0), *x)};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const Tensor& x = *context.input(0);
  Epilogue gelu;
  const bool tanh_form = context.node.String("approximate", "none") == "tanh";
  gelu.activation = tanh_form ? Activation::kGeluTanh : Activation::kGelu;
  DispatchFloat(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto source = x.Span<T>();
    std::transform(source.begin(), source.end(), context.outputs[0].Data<T>(),
                   [&](T value) { return static_cast<T>(Apply(gelu, static_cast<double>(value))); });
  });
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x6e10);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 5, 7}, -6, 6)}, {}});
  cases.push_back({{make.Floats({65}, -6, 6)}, {{"approximate", std::string("tanh")}}});
  return cases;
}

}  // namespace

extern const OpDef op_gelu = {
    .name = "Gelu", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
