// CumSum and CumProd: sums and products of all elements up to each one along an axis.
#pragma once

#include <algorithm>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {

// Inputs: data, axis (one number).
Status InferCumulative(InferContext& context);
// Resolves the axis that input 1 holds.
Result<size_t> CumulativeAxis(const EvalContext& context, const BoundNode& bound);

template <class W, class F>
void Accumulate(EvalContext& context, size_t axis, W start, F combine) {
  const Tensor& data = *context.input(0);
  const bool exclusive = context.node.Int("exclusive", 0) != 0;
  const bool reverse = context.node.Int("reverse", 0) != 0;
  const int64_t size = data.dims()[axis];
  const int64_t step = CountOf(data.dims(), axis + 1, data.dims().size());
  const WideReader reader(data, data.dims());
  for (int64_t row = 0; row < data.NumElements() / std::max<int64_t>(size, 1); ++row) {
    const int64_t first = row / step * step * size + row % step;
    W total = start;
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = first + (reverse ? size - 1 - i : i) * step;
      W value{};
      reader.Read<W>(at, std::span(&value, 1));
      const W before = total;
      total = Wrapping(total, value, combine);
      WriteWide<W>(context.outputs[0], at, std::span<const W>(exclusive ? &before : &total, 1));
    }
  }
}

// `combine` from `start`; integers wrap.
template <class F>
Status EvalCumulative(EvalContext& context, int start, F combine) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  TAMIS_ASSIGN_OR_RETURN(const size_t axis, CumulativeAxis(context, **bound));
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      Accumulate<double>(context, axis, start, combine);
      break;
    case Wide::kInt64:
      Accumulate<int64_t>(context, axis, start, combine);
      break;
    case Wide::kUint64:
      Accumulate<uint64_t>(context, axis, static_cast<uint64_t>(start), combine);
      break;
  }
  return {};
}

}  // namespace tamis
