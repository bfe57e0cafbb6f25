#include "src/ops/op_cumulative.h"

namespace tamis {

Status InferCumulative(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const Shape* shape = context.InputShape(0);
  const auto axis = ConstantInt(context, 1);
  if (shape != nullptr && axis)
    TAMIS_RETURN_IF_ERROR(ResolvedAxis(context, *axis, static_cast<int64_t>(shape->size())).status());
  context.SetOutput(0, *context.InputType(0));
  return {};
}

Result<size_t> CumulativeAxis(const EvalContext& context, const BoundNode& bound) {
  if (context.input(1)->NumElements() != 1) return context.Error("the axis must be one number");
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(*bound.infer, context.input(1)->ToInt64s()[0], context.input(0)->rank()));
  return static_cast<size_t>(axis);
}

}  // namespace tamis
