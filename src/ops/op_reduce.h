// Reductions over axes: type rule and evaluation, shared by every Reduce operator.
#pragma once

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {

// Axes are an attribute before opset 13 (ReduceSum) or 18 (the others), an input since; none: all axes, or with
// noop_with_empty_axes nothing.
Status InferReduce(InferContext& context);

// For every output element the flat list of input elements it is made from: out[walk] gets in[i].
struct ReducePlan {
  Dims output;                   // with keepdims applied
  std::vector<int64_t> strides;  // of the output, by input axis; 0 along reduced axes
  int64_t count = 1;             // input elements an output element has
};
Result<ReducePlan> PlanReduce(const EvalContext& context);

// Op: an accumulator with `static double Start()`, `void Add(double)` and `double Result(double count)`.
template <class Op, Elements kAllowed = Elements::kNumbers>
Status EvalReduce(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const ReducePlan plan, PlanReduce(context));
  const Tensor& x = *context.input(0);
  return DispatchElements(context, x.dtype(), kAllowed, [&]<class T>(T) {
    Tensor y(x.dtype(), plan.output);
    std::vector<Op> sums(static_cast<size_t>(y.NumElements()));
    const Dims& dims = x.dims();
    Dims index(dims.size(), 0);
    int64_t at = 0;
    for (int64_t i = 0, n = x.NumElements(); i < n; ++i) {
      sums[static_cast<size_t>(at)].Add(static_cast<double>(x.Data<T>()[i]));
      for (size_t axis = dims.size(); axis-- > 0;) {
        at += plan.strides[axis];
        if (++index[axis] < dims[axis]) break;
        at -= plan.strides[axis] * dims[axis];
        index[axis] = 0;
      }
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      y.Data<T>()[i] = static_cast<T>(sums[i].Result(static_cast<double>(plan.count)));
    }
    context.outputs[0] = std::move(y);
    return Status();
  });
}

}  // namespace tamis
