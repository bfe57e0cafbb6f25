// ArgMax and ArgMin: the index along one axis of the best element, the first (or last) of equal ones.
#pragma once

#include <cmath>

#include "src/ops/op_reduce.h"

namespace tamis {

inline Status InferArg(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  const Shape* shape = context.InputShape(0);
  context.SetOutputDType(0, DType::kInt64);
  if (shape == nullptr) return {};
  const auto rank = static_cast<int64_t>(shape->size());
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis, ResolvedAxis(context, context.node().Int("axis", 0), rank));
  Shape result = *shape;
  if (result[static_cast<size_t>(axis)] == Dim(0)) return context.Error("an empty axis has no best element");
  if (context.node().Int("keepdims", 1) != 0) {
    result[static_cast<size_t>(axis)] = Dim(1);
  } else {
    result.erase(result.begin() + axis);
  }
  return SetShape(context, 0, DType::kInt64, std::move(result));
}

// `better(candidate, best)` is strict; NaN beats everything.
template <class F>
Status EvalArg(EvalContext& context, F better) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  const Tensor& data = *context.input(0);
  const int64_t axis = context.node.Int("axis", 0);
  const bool last = context.node.Int("select_last_index", 0) != 0;
  std::vector<bool> reduce(data.dims().size(), false);
  reduce[static_cast<size_t>(axis < 0 ? axis + data.rank() : axis)] = true;
  const ReduceWalk walk(data.dims(), reduce);
  const auto find = [&]<class W>(std::span<const W> terms) {
    size_t best = 0;
    for (size_t i = 1; i < terms.size(); ++i) {
      if constexpr (std::is_same_v<W, double>) {
        if (std::isnan(terms[best])) break;
        if (std::isnan(terms[i])) best = i;
      }
      if (better(terms[i], terms[best]) || (last && terms[i] == terms[best])) best = i;
    }
    return static_cast<W>(best);
  };
  switch (WideOf(data.dtype())) {
    case Wide::kDouble:
      ReduceRows<double>(data, walk, context.outputs[0], find);
      break;
    case Wide::kInt64:
      ReduceRows<int64_t>(data, walk, context.outputs[0], find);
      break;
    case Wide::kUint64:
      ReduceRows<uint64_t>(data, walk, context.outputs[0], find);
      break;
  }
  return {};
}

}  // namespace tamis
