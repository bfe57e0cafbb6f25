// IsNaN.
#include <cmath>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  return DispatchElements(context, x.dtype(), Elements::kFloats, [&]<class T>(T) {
    context.outputs[0] = Tensor(DType::kBool, x.dims());
    for (int64_t i = 0; i < x.NumElements(); ++i) context.outputs[0].Data<bool>()[i] = std::isnan(x.Data<T>()[i]);
    return Status();
  });
}

}  // namespace

extern const OpDef op_is_nan = {"IsNaN", "", 9, InferUnaryBool, Eval};

}  // namespace tamis
