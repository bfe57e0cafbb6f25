// Reductions over axes: one shape rule and one walk; an operator gives how values are combined.
//
// References reduce floats in double and integers in 64 bits. The axes are an attribute in old opsets (before 13 for
// ReduceSum, 18 for the others), input 1 in new ones; either is read. No axes: all of them, or none with
// noop_with_empty_axes.
#pragma once

#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {

// Which axes go; nullopt if computed at run time.
Result<std::optional<std::vector<bool>>> ReducedAxes(const InferContext& context, size_t rank);
Status InferReduce(InferContext& context, unsigned allowed);
template <unsigned kAllowed>
Status InferReduceOf(InferContext& context) {
  return InferReduce(context, kAllowed);
}

// Where the elements of one result lie: result o (row-major over kept axes) holds data[FirstOf(o) + steps[r]].
struct ReduceWalk {
  Dims kept;
  std::vector<int64_t> kept_strides;
  Dims reduced;
  std::vector<int64_t> reduced_strides;
  int64_t results = 1;
  int64_t terms = 1;

  ReduceWalk(const Dims& dims, const std::vector<bool>& reduce);
  static int64_t Offset(int64_t i, const Dims& dims, const std::vector<int64_t>& strides);
};

// f(std::span<const W> terms) -> W for each result.
template <class W, class F>
void ReduceRows(const Tensor& data, const ReduceWalk& walk, Tensor& output, F&& f) {
  if (walk.results == 0) return;
  const WideReader reader(data, data.dims());
  std::vector<W> terms(static_cast<size_t>(walk.terms));
  const bool contiguous = walk.reduced_strides.size() == 1 && walk.reduced_strides[0] == 1;
  for (int64_t o = 0; o < walk.results; ++o) {
    const int64_t first = ReduceWalk::Offset(o, walk.kept, walk.kept_strides);
    if (contiguous) {
      reader.Read<W>(first, std::span<W>(terms));
    } else {
      for (int64_t i = 0; i < walk.terms; ++i) {
        const int64_t from = first + ReduceWalk::Offset(i, walk.reduced, walk.reduced_strides);
        reader.Read<W>(from, std::span<W>(&terms[static_cast<size_t>(i)], 1));
      }
    }
    const W result = f(std::span<const W>(terms));
    WriteWide<W>(output, o, std::span<const W>(&result, 1));
  }
}

template <class F>
Status EvalReduce(EvalContext& context, F&& f) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& data = *context.input(0);
  TAMIS_ASSIGN_OR_RETURN(const auto axes, ReducedAxes(*bound->infer, data.dims().size()));
  if (!axes) return context.Error("the axes are not known");
  const ReduceWalk walk(data.dims(), *axes);
  switch (WideOf(data.dtype())) {
    case Wide::kDouble:
      ReduceRows<double>(data, walk, context.outputs[0], f);
      break;
    case Wide::kInt64:
      ReduceRows<int64_t>(data, walk, context.outputs[0], f);
      break;
    case Wide::kUint64:
      ReduceRows<uint64_t>(data, walk, context.outputs[0], f);
      break;
  }
  return {};
}

// Sum of f(x) that wraps for integers.
template <class W, class F>
W SumOf(std::span<const W> terms, F&& f) {
  W sum{};
  for (W x : terms) sum = Wrapping(sum, static_cast<W>(f(x)), std::plus<>());
  return sum;
}

// Cases with each way of naming the axes.
std::vector<OpTestCase> ReduceCases();

}  // namespace tamis
