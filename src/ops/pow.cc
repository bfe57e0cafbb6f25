// Pow: the exponent may have another element type; the result has the base's.
#include <cmath>

#include "src/ops/op_cast.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const Shape* a = context.InputShape(0);
  const Shape* b = context.InputShape(1);
  context.SetOutputDType(0, context.InputDType(0));
  if (a == nullptr || b == nullptr) return {};
  auto joined = JoinShapes(*a, *b);
  if (!joined) return context.Error(fmt::format("shapes {} and {} do not broadcast", ToString(*a), ToString(*b)));
  context.SetOutput(0, context.InputDType(0), std::move(*joined));
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(context));
  const Tensor& base = *context.input(0);
  TAMIS_ASSIGN_OR_RETURN(const Tensor exponent, CastTensor(*context.input(1), DType::kFloat64));
  return DispatchElements(context, base.dtype(), Elements::kNumbers, [&]<class T>(T) {
    Tensor y(base.dtype(), dims);
    BroadcastWalk walk(dims, {base.dims(), exponent.dims()});
    for (int64_t i = 0, n = y.NumElements(); i < n; ++i, walk.Next()) {
      const double value =
          std::pow(static_cast<double>(base.Data<T>()[walk.offsets()[0]]), exponent.Data<double>()[walk.offsets()[1]]);
      y.Data<T>()[i] = static_cast<T>(value);
    }
    context.outputs[0] = std::move(y);
    return Status();
  });
}

}  // namespace

extern const OpDef op_pow = {"Pow", "", 7, Infer, Eval};

}  // namespace tamis
