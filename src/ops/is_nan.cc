#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBroadcast(context, {kFloats, 1, DType::kBool});
}

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return std::isnan(x); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_is_nan = {
    .name = "IsNaN", .domain = "", .since_opset = 9, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
