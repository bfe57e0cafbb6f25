#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  return InferBroadcast(context, {.allowed = kBools});
}

Status Eval(EvalContext& context) {
  return EvalElements<2>(context, [](auto a, auto b) { return a != 0 && b != 0; });
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kBool, {2, 1}), Tensor(DType::kBool, {3})}, {}}};
}

}  // namespace

extern const OpDef op_and = {
    .name = "And", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
