#include <cmath>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_small_float.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const bool small = IsSmallFloat(context.InputDType(0)) && context.opset() >= 20;
  return InferBroadcast(context, {small ? kFixedSize : kFloats, 1, DType::kBool});
}

Status Eval(EvalContext& context) {
  return EvalFloat(context, [](double x) { return std::isnan(x); });
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5})}, {}}};
}

}  // namespace

extern const OpDef op_is_nan = {.name = "IsNaN",
                                .domain = "",
                                .since_opset = 9,
                                .infer = Infer,
                                .eval = Eval,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
