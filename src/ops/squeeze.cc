#include <algorithm>

#include "src/ops/op_data.h"

namespace tamis {
namespace {

// Axes are an attribute before opset 13, input 1 after; without them every dimension of 1 goes.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  if (auto contents = context.InputContents(0)) SetTracked(context, 0, std::move(*contents));
  const Shape* shape = context.InputShape(0);
  TAMIS_ASSIGN_OR_RETURN(const IntList axes, ReadInts(context, 1, "axes"));
  if (shape == nullptr || (axes.given && !axes.constant)) {
    context.SetOutputDType(0, context.InputDType(0));
    return {};
  }
  const auto rank = static_cast<int64_t>(shape->size());
  TAMIS_ASSIGN_OR_RETURN(const auto dropped, ResolvedAxes(context, axes.constants, rank));
  Shape kept;
  for (int64_t axis = 0; axis < rank; ++axis) {
    const Dim& dim = (*shape)[static_cast<size_t>(axis)];
    const bool drop = axes.given ? std::find(dropped.begin(), dropped.end(), axis) != dropped.end() : dim == Dim(1);
    if (!drop) {
      if (!axes.given && !dim.IsConstant()) {
        context.SetOutputDType(0, context.InputDType(0));  // it may be 1 at run time: not even the rank is known
        return {};
      }
      kept.push_back(dim);
    } else if (dim.Constant().value_or(1) != 1) {
      return context.Error(fmt::format("dimension {} of {} is not 1", axis, ToString(*shape)));
    }
  }
  return SetShape(context, 0, context.InputDType(0), std::move(kept));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  context.outputs[0] = context.input(0)->Reshaped(*ConstantDims(bound->infer->output_types[0]->shape));
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data(DType::kFloat32, {1, 3, 1});
  return {{{data}, {}}, {{data, Tensor::Int64s(std::vector<int64_t>{-1})}, {}}};
}

}  // namespace

extern const OpDef op_squeeze = {.name = "Squeeze",
                                 .domain = "",
                                 .since_opset = 1,
                                 .infer = Infer,
                                 .eval = Eval,
                                 .test_cases = Cases,
                                 .widen_half = false};

}  // namespace tamis
