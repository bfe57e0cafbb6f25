// GlobalLpPool: the p-norm of every channel of every item.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  return LpPoolRule(operands, true);
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  const auto x = ReadDoubles(*context.input(0));
  const auto p = static_cast<double>(context.node.Int("p", 2));
  std::vector<double> y(static_cast<size_t>(context.outputs[0].NumElements()));
  const size_t size = y.empty() ? 0 : x.size() / y.size();
  for (size_t plane = 0; plane < y.size(); ++plane) {
    double sum = 0;
    for (size_t i = 0; i < size; ++i) sum += std::pow(std::abs(x[plane * size + i]), p);
    y[plane] = std::pow(sum, 1 / p);
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x3a7004);
  return {{{make.Floats({2, 3, 4, 5})}, {}}, {{make.Floats({2, 3, 7})}, {{"p", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_global_lp_pool = {
    .name = "GlobalLpPool", .domain = "", .since_opset = 2, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
