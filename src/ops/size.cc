#include <span>

#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  if (context.InputShape(0) != nullptr) {
    if (const auto count = TrackedProduct(*context.InputShape(0))) SetTracked(context, 0, {*count});
  }
  return SetShape(context, 0, DType::kInt64, {});
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const int64_t count = context.input(0)->NumElements();
  context.outputs[0] = Tensor::Of<int64_t>(DType::kInt64, {}, std::span(&count, 1));
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {2, 3, 4})}, {}}};
}

}  // namespace

extern const OpDef op_size = {.name = "Size",
                              .domain = "",
                              .since_opset = 1,
                              .infer = Infer,
                              .eval = Eval,
                              .test_cases = Cases,
                              .widen_half = false};

}  // namespace tamis
