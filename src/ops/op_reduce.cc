#include "src/ops/op_reduce.h"

#include <algorithm>

namespace tamis {
namespace {

// The axes to reduce, sorted; all of them where none are given.
Result<std::vector<size_t>> ReducedAxes(const Node& node, const std::optional<std::vector<int64_t>>& axes,
                                        size_t rank) {
  if (axes && !axes->empty()) return ResolveAxes(*axes, rank);
  std::vector<size_t> all;
  if (node.Int("noop_with_empty_axes", 0) != 0) return all;
  for (size_t i = 0; i < rank; ++i) all.push_back(i);
  return all;
}

}  // namespace

Status InferReduce(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto given, AxesOf(context, 1));
  const auto axes = ReducedAxes(context.node(), given, x->size());
  if (!axes.ok()) return context.Error(axes.status().message());
  const bool keep = context.node().Int("keepdims", 1) != 0;
  Shape shape;
  for (size_t i = 0; i < x->size(); ++i) {
    if (!std::binary_search(axes->begin(), axes->end(), i)) {
      shape.push_back((*x)[i]);
    } else if (keep) {
      shape.emplace_back(1);
    }
  }
  context.SetOutput(0, context.InputDType(0), std::move(shape));
  return {};
}

Result<ReducePlan> PlanReduce(const EvalContext& context) {
  const Dims& dims = context.input(0)->dims();
  const auto axes = ReducedAxes(context.node, AxesOf(context, 1), dims.size());
  if (!axes.ok()) return context.Error(axes.status().message());
  const bool keep = context.node.Int("keepdims", 1) != 0;
  ReducePlan plan;
  Dims kept;
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool reduced = std::binary_search(axes->begin(), axes->end(), i);
    kept.push_back(reduced ? 1 : dims[i]);
    if (!reduced || keep) plan.output.push_back(kept[i]);
    if (reduced) plan.count *= dims[i];
  }
  plan.strides = StridesOf(kept);
  for (const size_t axis : *axes) plan.strides[axis] = 0;
  return plan;
}

}  // namespace tamis
