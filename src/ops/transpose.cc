// Transpose; without perm the axes are reversed.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Result<std::vector<size_t>> Permutation(const Node& node, size_t rank) {
  std::vector<int64_t> perm = node.Ints("perm");
  if (!node.Has("perm")) {
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  std::vector<size_t> order;
  std::vector<bool> seen(rank, false);
  for (const int64_t axis : perm) {
    const auto index = ResolveAxis(axis, rank);
    if (!index || seen[*index]) break;
    seen[*index] = true;
    order.push_back(*index);
  }
  if (perm.size() != rank || order.size() != rank) {
    return UserError("perm {} is no permutation of {} axes", ToString(perm), rank);
  }
  return order;
}

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  const auto order = Permutation(context.node(), x->size());
  if (!order.ok()) return context.Error(order.status().message());
  Shape shape;
  for (const size_t axis : *order) shape.push_back((*x)[axis]);
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto order = Permutation(context.node, x.dims().size());
  if (!order.ok()) return context.Error(order.status().message());
  const Dims in_strides = StridesOf(x.dims());
  Dims dims, strides;
  for (const size_t axis : *order) {
    dims.push_back(x.dims()[axis]);
    strides.push_back(in_strides[axis]);
  }
  Tensor y(x.dtype(), dims);
  Dims index(dims.size(), 0);
  int64_t offset = 0;
  CopyElements(x, &y, [&](int64_t) {
    const int64_t source = offset;
    for (size_t axis = dims.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < dims[axis]) break;
      offset -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
    return source;
  });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_transpose = {
    .name = "Transpose", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
