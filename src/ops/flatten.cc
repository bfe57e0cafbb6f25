// Flatten to two dimensions.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  const int64_t axis = context.node().Int("axis", 1);
  const auto rank = static_cast<int64_t>(x->size());
  if (axis < -rank || axis > rank) return context.Error(fmt::format("axis {} is out of range for rank {}", axis, rank));
  const auto split = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  context.SetOutput(0, context.InputDType(0), {Product(*x, 0, split), Product(*x, split, x->size())});
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const int64_t axis = context.node.Int("axis", 1);
  if (axis < -x.rank() || axis > x.rank()) return context.Error("the axis is out of range");
  const auto split = static_cast<size_t>(axis < 0 ? axis + x.rank() : axis);
  const std::span<const int64_t> dims(x.dims());
  context.outputs[0] = x.Reshaped({NumElements(dims.first(split)), NumElements(dims.subspan(split))});
  return {};
}

}  // namespace

extern const OpDef op_flatten = {
    .name = "Flatten", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
