#include <algorithm>

#include "src/ops/op_data.h"

namespace tamis {
namespace {

// Axes are an attribute before opset 13, input 1 after; they count in the result.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  if (auto contents = context.InputContents(0)) SetTracked(context, 0, std::move(*contents));
  const Shape* shape = context.InputShape(0);
  TAMIS_ASSIGN_OR_RETURN(const IntList axes, ReadInts(context, 1, "axes"));
  if (!axes.given) return context.Error("the axes are missing");
  if (shape == nullptr || !axes.constant) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  const auto rank = static_cast<int64_t>(shape->size() + axes.constants.size());
  TAMIS_ASSIGN_OR_RETURN(const auto added, ResolvedAxes(context, axes.constants, rank));
  Shape result;
  auto next = shape->begin();
  for (int64_t axis = 0; axis < rank; ++axis) {
    const bool add = std::find(added.begin(), added.end(), axis) != added.end();
    result.push_back(add ? Dim(1) : *next++);
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  context.outputs[0] = context.input(0)->Reshaped(*ConstantDims(bound->infer->output_types[0]->shape));
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {3, 2}), Tensor::Int64s(std::vector<int64_t>{0, -1})}, {}}};
}

}  // namespace

extern const OpDef op_unsqueeze = {.name = "Unsqueeze",
                                   .domain = "",
                                   .since_opset = 1,
                                   .infer = Infer,
                                   .eval = Eval,
                                   .test_cases = Cases,
                                   .widen_half = false};

}  // namespace tamis
