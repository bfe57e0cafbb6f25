#include "src/ops/op_reduce.h"

namespace tamis {
namespace {

// The number of elements of a shape, as exporters write it.
Status Infer(InferContext& context) {
  const auto contents = Contents(context, 0);
  const Shape* shape = context.InputShape(0);
  if (contents && shape->size() == 1) {
    const auto axes = ReducedAxes(context, 1);
    const auto product = TrackedProduct(*contents);
    if (axes.ok() && *axes && (**axes)[0] && product) SetTracked(context, 0, {*product});
  }
  return InferReduce(context, kNumbers);
}

Status Eval(EvalContext& context) {
  return EvalReduce(context, []<class W>(std::span<const W> terms) {
    W product{1};
    for (W x : terms) product = Wrapping(product, x, std::multiplies<>());
    return product;
  });
}

}  // namespace

extern const OpDef op_reduce_prod = {
    .name = "ReduceProd", .domain = "", .infer = Infer, .eval = Eval, .test_cases = ReduceCases};

}  // namespace tamis
