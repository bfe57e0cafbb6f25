// Unsqueeze: axes are an attribute before opset 13, an input since.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  TAMIS_ASSIGN_OR_RETURN(const auto axes, AxesOf(context, 1));
  if (!axes) return context.Error("the axes are missing");
  if (x == nullptr) return {};
  auto resolved = ResolveAxes(*axes, x->size() + axes->size());
  if (!resolved.ok()) return context.Error(resolved.status().message());
  Shape shape = *x;
  for (const size_t axis : *resolved) shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), Dim(1));
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  if (auto contents = context.InputContents(0)) context.SetOutputContents(0, std::move(*contents));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto axes = AxesOf(context, 1);
  if (!axes) return context.Error("the axes are missing");
  auto resolved = ResolveAxes(*axes, x.dims().size() + axes->size());
  if (!resolved.ok()) return context.Error(resolved.status().message());
  Dims dims = x.dims();
  for (const size_t axis : *resolved) dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  context.outputs[0] = x.Reshaped(std::move(dims));
  return {};
}

}  // namespace

extern const OpDef op_unsqueeze = {
    .name = "Unsqueeze", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
