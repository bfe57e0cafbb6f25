// GatherElements: one index for every element of the result.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  context.SetOutputDType(0, context.InputDType(0));
  if (const Shape* indices = context.InputShape(1)) context.SetOutput(0, context.InputDType(0), *indices);
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& indices = *context.input(1);
  const auto axis = ResolveAxis(context.node.Int("axis", 0), x.dims().size());
  if (!axis || indices.rank() != x.rank()) return context.Error("the ranks differ, or the axis is out of range");
  for (size_t d = 0; d < x.dims().size(); ++d) {
    if (d != *axis && indices.dims()[d] > x.dims()[d]) return context.Error("the indices are larger than the data");
  }
  const std::vector<int64_t> picks = indices.ToInt64s();
  const int64_t size = x.dims()[*axis];
  for (const int64_t pick : picks) {
    if (pick < -size || pick >= size) return context.Error(fmt::format("index {} is out of range for {}", pick, size));
  }
  const Dims strides = StridesOf(x.dims());
  const Dims index_strides = StridesOf(indices.dims());
  Tensor y(x.dtype(), indices.dims());
  CopyElements(x, &y, [&](int64_t i) {
    int64_t source = 0;
    for (size_t d = 0; d < strides.size(); ++d) {
      const int64_t at = i / index_strides[d] % indices.dims()[d];
      const int64_t pick = picks[static_cast<size_t>(i)];
      source += strides[d] * (d == *axis ? (pick < 0 ? pick + size : pick) : at);
    }
    return source;
  });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_gather_elements = {
    .name = "GatherElements", .since_opset = 11, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
