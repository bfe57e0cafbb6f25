#include "src/ops/op_elementwise.h"
#include "src/ops/op_pieces.h"

namespace tamis {
namespace {

// Inputs: data, condition (a bool for each of the first elements along the axis, or of all elements without an axis).
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kBools));
  if (const Shape* condition = context.InputShape(1); condition != nullptr && condition->size() != 1) {
    return context.Error(fmt::format("the condition must have one dimension, has {}", ToString(*condition)));
  }
  const Shape* shape = context.InputShape(0);
  if (!context.node().Has("axis")) return SetShape(context, 0, context.InputDType(0), {context.DataDim(0, 0)});
  if (shape == nullptr) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 0), static_cast<int64_t>(shape->size())));
  Shape result = *shape;
  result[static_cast<size_t>(axis)] = context.DataDim(0, static_cast<size_t>(axis));
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(BindInputs(context).status());
  const Tensor& condition = *context.input(1);
  Tensor data = *context.input(0);
  int64_t axis = context.node.Int("axis", 0);
  if (!context.node.Has("axis")) {
    axis = 0;
    data = data.Reshaped({data.NumElements()});
  }
  const auto at = static_cast<size_t>(axis < 0 ? axis + data.rank() : axis);
  std::vector<int64_t> picked;
  for (int64_t i = 0; i < condition.NumElements(); ++i) {
    if (!condition.Data<bool>()[i]) continue;
    if (i >= data.dims()[at]) {
      return context.Error(fmt::format("condition {} is true, the axis has {} elements", i, data.dims()[at]));
    }
    picked.push_back(i);
  }
  TAMIS_ASSIGN_OR_RETURN(context.outputs[0], PickAlong(context, data, at, picked));
  return {};
}

std::vector<OpTestCase> Cases() {
  const bool condition[] = {true, false, true};
  const Tensor some = Tensor::Of<bool>(DType::kBool, {3}, condition);
  return {{{SampleFloats(1, {4, 2}), some}, {{"axis", int64_t{0}}}}, {{SampleFloats(2, {2, 2}), some}, {}}};
}

}  // namespace

extern const OpDef op_compress = {.name = "Compress",
                                  .domain = "",
                                  .since_opset = 9,
                                  .infer = Infer,
                                  .eval = Eval,
                                  .test_cases = Cases,
                                  .widen_half = false};

}  // namespace tamis
