// Tile: repeats along every axis.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  const auto repeats = context.InputContents(1);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr || !repeats) return {};
  if (repeats->size() != x->size())
    return context.Error(fmt::format("{} repeats for rank {}", repeats->size(), x->size()));
  Shape shape;
  for (size_t i = 0; i < x->size(); ++i) shape.push_back((*x)[i] * (*repeats)[i]);
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const std::vector<int64_t> repeats = context.input(1)->ToInt64s();
  if (repeats.size() != x.dims().size()) return context.Error("one repeat count an axis is needed");
  Dims dims;
  for (size_t i = 0; i < repeats.size(); ++i) {
    const int64_t size = NumElements(Dims{x.dims()[i], repeats[i]});
    if (size < 0) return context.Error("the repeats are not valid");
    dims.push_back(size);
  }
  TAMIS_RETURN_IF_ERROR(CheckSize(context, dims));
  const Dims strides = StridesOf(x.dims());
  const Dims out_strides = StridesOf(dims);
  Tensor y(x.dtype(), dims);
  CopyElements(x, &y, [&](int64_t i) {
    int64_t source = 0;
    for (size_t d = 0; d < dims.size(); ++d) source += i / out_strides[d] % dims[d] % x.dims()[d] * strides[d];
    return source;
  });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_tile = {.name = "Tile", .since_opset = 6, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
