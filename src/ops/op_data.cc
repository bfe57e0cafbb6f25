#include "src/ops/op_data.h"

#include <algorithm>

namespace tamis {

Status CheckSize(const EvalContext& context, const Dims& dims) {
  const int64_t count = NumElements(dims);
  if (count >= 0 && count <= kMaxElements) return {};
  return context.Error(fmt::format("the result {} is too large", ToString(dims)));
}

Result<std::optional<std::vector<int64_t>>> AxesOf(const InferContext& context, size_t input) {
  using Axes = std::optional<std::vector<int64_t>>;
  if (context.HasInput(input)) {
    const auto contents = context.InputContents(input);
    if (!contents) return context.Error("the axes are computed by the network, which is not supported");
    std::vector<int64_t> axes;
    for (const Dim& dim : *contents) {
      const auto constant = dim.Constant();
      if (!constant) return context.Error("the axes depend on a dynamic dimension");
      axes.push_back(*constant);
    }
    return Axes(std::move(axes));
  }
  if (context.node().Has("axes")) return Axes(context.node().Ints("axes"));
  return Axes();
}

std::optional<std::vector<int64_t>> AxesOf(const EvalContext& context, size_t input) {
  if (const Tensor* axes = context.input(input)) return axes->ToInt64s();
  if (context.node.Has("axes")) return context.node.Ints("axes");
  return std::nullopt;
}

Result<std::vector<size_t>> ResolveAxes(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<size_t> resolved;
  for (const int64_t axis : axes) {
    const auto index = ResolveAxis(axis, rank);
    if (!index) return UserError("axis {} is out of range for rank {}", axis, rank);
    resolved.push_back(*index);
  }
  std::sort(resolved.begin(), resolved.end());
  if (std::adjacent_find(resolved.begin(), resolved.end()) != resolved.end())
    return UserError("an axis is named twice");
  return resolved;
}

Dims StridesOf(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

Status InferSame(InferContext& context) {
  const Type* x = context.InputType(0);
  if (x == nullptr) return context.Error("the input is missing");
  context.SetOutput(0, *x);
  return {};
}

Status InferSameContents(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(InferSame(context));
  if (auto contents = context.InputContents(0)) context.SetOutputContents(0, std::move(*contents));
  return {};
}

}  // namespace tamis
