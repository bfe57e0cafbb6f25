#include "src/ops/op_data.h"

namespace tamis {
namespace {

// To two dimensions: those before `axis` and the rest. The axis may equal the rank.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  const auto rank = static_cast<int64_t>(shape->size());
  int64_t axis = context.node().Int("axis", 1);
  if (axis != rank) {
    TAMIS_ASSIGN_OR_RETURN(axis, ResolvedAxis(context, axis, rank));
  }
  const auto outer = TrackedProduct({shape->begin(), shape->begin() + axis});
  const auto inner = TrackedProduct({shape->begin() + axis, shape->end()});
  return SetShape(context, 0, context.InputDType(0),
                  {outer.value_or(context.DataDim(0, 0)), inner.value_or(context.DataDim(0, 1))});
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  context.outputs[0] = context.input(0)->Reshaped(*ConstantDims(bound->infer->output_types[0]->shape));
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {2, 3, 4})}, {}}, {{Tensor(DType::kFloat32, {2, 3, 4})}, {{"axis", int64_t{3}}}}};
}

}  // namespace

extern const OpDef op_flatten = {.name = "Flatten",
                                 .domain = "",
                                 .since_opset = 1,
                                 .infer = Infer,
                                 .eval = Eval,
                                 .test_cases = Cases,
                                 .widen_half = false};

}  // namespace tamis
