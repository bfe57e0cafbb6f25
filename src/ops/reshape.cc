#include "src/ops/op_data.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: data, shape. 0 copies a dimension (not with allowzero), one -1 is solved for.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  const Shape* from = context.InputShape(0);
  const bool allow_zero = context.node().Int("allowzero", 0) != 0;
  TAMIS_ASSIGN_OR_RETURN(const IntList target, ReadInts(context, 1, ""));
  if (auto contents = context.InputContents(0)) SetTracked(context, 0, std::move(*contents));
  if (!target.known) {
    context.SetOutputDType(0, context.InputDType(0));
    if (const auto rank = ListLength(context, 1)) {
      return SetShape(context, 0, context.InputDType(0), DataShape(context, 0, *rank));
    }
    return {};
  }
  if (from != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(Shape shape, ReshapedShape(context, *from, target.values, allow_zero));
    return SetShape(context, 0, context.InputDType(0), std::move(shape));
  }
  for (const Dim& dim : target.values) {
    if (dim == Dim(-1) || dim == Dim(0)) {
      context.SetOutputDType(0, context.InputDType(0));
      return {};
    }
  }
  return SetShape(context, 0, context.InputDType(0), target.values);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  const auto& type = *bound->infer->output_types[0];
  const auto dims = type.has_rank ? ConstantDims(type.shape) : std::nullopt;
  if (!dims) return context.Error("the shape has too many elements");
  context.outputs[0] = context.input(0)->Reshaped(*dims);
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data(DType::kFloat32, {2, 3, 4});
  return {{{data, Tensor::Int64s(std::vector<int64_t>{0, -1})}, {}},
          {{data, Tensor::Int64s(std::vector<int64_t>{4, 1, 6})}, {}}};
}

}  // namespace

extern const OpDef op_reshape = {.name = "Reshape",
                                 .domain = "",
                                 .since_opset = 5,
                                 .infer = Infer,
                                 .eval = Eval,
                                 .test_cases = Cases,
                                 .widen_half = false};

}  // namespace tamis
