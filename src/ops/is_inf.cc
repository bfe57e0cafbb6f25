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
  const bool negative = context.node.Int("detect_negative", 1) != 0;
  const bool positive = context.node.Int("detect_positive", 1) != 0;
  return EvalFloat(context, [=](double x) { return std::isinf(x) && (x < 0 ? negative : positive); });
}

std::vector<OpTestCase> Cases() {
  const float inf = INFINITY;
  const std::vector<float> values = {1, inf, -inf, 0, std::nanf("")};
  const Tensor x = Tensor::Of<float>(DType::kFloat32, {5}, std::span<const float>(values));
  return {{{x}, {}}, {{x}, {{"detect_negative", int64_t{0}}}}, {{x}, {{"detect_positive", int64_t{0}}}}};
}

}  // namespace

extern const OpDef op_is_inf = {.name = "IsInf",
                                .domain = "",
                                .since_opset = 10,
                                .infer = Infer,
                                .eval = Eval,
                                .test_cases = Cases,
                                .widen_half = false};

}  // namespace tamis
