// Squeeze: axes are an attribute before opset 13, an input since.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto axes, AxesOf(context, 1));
  std::vector<size_t> resolved;
  if (axes) {
    auto result = ResolveAxes(*axes, x->size());
    if (!result.ok()) return context.Error(result.status().message());
    resolved = std::move(*result);
  } else {
    for (size_t i = 0; i < x->size(); ++i) {
      if (!(*x)[i].IsConstant()) return context.Error("without axes it needs constant dimensions");
      if ((*x)[i] == Dim(1)) resolved.push_back(i);
    }
  }
  Shape shape;
  for (size_t i = 0; i < x->size(); ++i) {
    if (!std::binary_search(resolved.begin(), resolved.end(), i)) {
      shape.push_back((*x)[i]);
    } else if ((*x)[i].IsConstant() && !((*x)[i] == Dim(1))) {
      return context.Error(fmt::format("dimension {} of {} is not 1", i, ToString(*x)));
    }
  }
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  if (auto contents = context.InputContents(0)) context.SetOutputContents(0, std::move(*contents));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto axes = AxesOf(context, 1);
  Dims dims;
  std::vector<size_t> resolved;
  if (axes) {
    auto result = ResolveAxes(*axes, x.dims().size());
    if (!result.ok()) return context.Error(result.status().message());
    resolved = std::move(*result);
  }
  for (size_t i = 0; i < x.dims().size(); ++i) {
    const bool named = std::binary_search(resolved.begin(), resolved.end(), i);
    if (named && x.dims()[i] != 1)
      return context.Error(fmt::format("dimension {} of {} is not 1", i, ToString(x.dims())));
    if (!named && (axes || x.dims()[i] != 1)) dims.push_back(x.dims()[i]);
  }
  context.outputs[0] = x.Reshaped(std::move(dims));
  return {};
}

}  // namespace

extern const OpDef op_squeeze = {
    .name = "Squeeze", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
