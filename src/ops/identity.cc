#include "src/ops/op_bind.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  if (context.NumInputs() != 1 || !context.HasInput(0)) return context.Error("needs exactly one input");
  context.SetOutput(0, *context.InputType(0));
  if (auto contents = context.InputContents(0)) SetTracked(context, 0, std::move(*contents));
  return {};
}

Status Eval(EvalContext& context) {
  if (context.input(0) == nullptr) return context.Error("needs exactly one input");
  context.outputs[0] = *context.input(0);
  return {};
}

Status EvalData(DataContext& context) {
  if (context.input(0) == nullptr) return context.Error("needs exactly one input");
  context.outputs[0] = *context.input(0);
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor::Float(3)}, {}}};
}

}  // namespace

extern const OpDef op_identity = {.name = "Identity",
                                  .domain = "",
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false,
                                  .eval_data = EvalData};

}  // namespace tamis
