#include "src/ops/op_reduce.h"
#include "src/ops/op_types.h"

namespace tamis {

Result<std::optional<std::vector<bool>>> ReducedAxes(const InferContext& context, size_t rank) {
  TAMIS_ASSIGN_OR_RETURN(const IntList axes, ReadInts(context, 1, "axes"));
  if (axes.given && !axes.constant) return std::optional<std::vector<bool>>();
  TAMIS_ASSIGN_OR_RETURN(const auto resolved, ResolvedAxes(context, axes.constants, static_cast<int64_t>(rank)));
  const bool all = resolved.empty() && context.node().Int("noop_with_empty_axes", 0) == 0;
  std::vector<bool> reduce(rank, all);
  for (int64_t axis : resolved) reduce[static_cast<size_t>(axis)] = true;
  return std::optional(std::move(reduce));
}

Status InferReduce(InferContext& context, unsigned allowed) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, allowed));
  const DType dtype = context.InputDType(0);
  context.SetOutputDType(0, dtype);
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto reduce, ReducedAxes(context, shape->size()));
  const bool keep = context.node().Int("keepdims", 1) != 0;
  if (!reduce) {
    if (keep) return SetShape(context, 0, dtype, DataShape(context, 0, shape->size()));
    const auto axes = ListLength(context, 1);
    if (!axes || *axes == 0 || *axes > shape->size()) return {};
    return SetShape(context, 0, dtype, DataShape(context, 0, shape->size() - *axes));
  }
  Shape result;
  for (size_t axis = 0; axis < shape->size(); ++axis) {
    if (!(*reduce)[axis]) {
      result.push_back((*shape)[axis]);
    } else if (keep) {
      result.push_back(Dim(1));
    }
  }
  return SetShape(context, 0, dtype, std::move(result));
}

ReduceWalk::ReduceWalk(const Dims& dims, const std::vector<bool>& reduce) {
  const auto strides = RowMajorStrides(dims);
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    auto& sizes = reduce[axis] ? reduced : kept;
    auto& steps = reduce[axis] ? reduced_strides : kept_strides;
    // Neighbouring axes of one kind are walked as one.
    if (axis > 0 && reduce[axis] == reduce[axis - 1]) {
      sizes.back() *= dims[axis];
      steps.back() = strides[axis];
    } else {
      sizes.push_back(dims[axis]);
      steps.push_back(strides[axis]);
    }
  }
  results = NumElements(kept);
  terms = NumElements(reduced);
}

int64_t ReduceWalk::Offset(int64_t i, const Dims& dims, const std::vector<int64_t>& strides) {
  int64_t offset = 0;
  for (size_t axis = dims.size(); axis-- > 0; i /= dims[axis]) offset += i % dims[axis] * strides[axis];
  return offset;
}

std::vector<OpTestCase> ReduceCases() {
  const Tensor data = SampleFloats(1, {2, 3, 4}, 0.5, 2);
  const Tensor axes = Tensor::Int64s(std::vector<int64_t>{-1, 0});
  return {{{data}, {}},
          {{data, axes}, {{"keepdims", int64_t{0}}}},
          {{data}, {{"axes", std::vector<int64_t>{1}}}},
          {{data}, {{"noop_with_empty_axes", int64_t{1}}}}};
}

}  // namespace tamis
