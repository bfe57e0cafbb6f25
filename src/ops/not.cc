#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalElements<1>(context, [](auto x) { return x == 0; });
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kBool, {2, 3})}, {}}};
}

}  // namespace

extern const OpDef op_not = {
    .name = "Not", .domain = "", .infer = InferUnaryOf<kBools>, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
