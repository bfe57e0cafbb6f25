#include "src/ops/op_arg.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  return EvalArg(context, [](auto candidate, auto best) { return candidate < best; });
}

Status Infer(InferContext& context) {
  return InferArg(context);
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 4})}, {{"axis", int64_t{1}}}},
          {{SampleInts(2, {3, 4}, 0, 1)}, {{"keepdims", int64_t{0}}, {"select_last_index", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_arg_min = {
    .name = "ArgMin", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
