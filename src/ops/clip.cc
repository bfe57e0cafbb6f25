// Clip: bounds are attributes before opset 11, optional scalar inputs since.
#include <limits>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

template <class T>
T Bound(const EvalContext& context, size_t input, const char* attribute, T fallback) {
  if (const Tensor* bound = context.input(input)) return bound->NumElements() > 0 ? bound->Data<T>()[0] : fallback;
  if (context.node.Has(attribute)) return static_cast<T>(context.node.Float(attribute, 0));
  return fallback;
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  for (size_t i = 1; i < context.inputs.size(); ++i) {
    if (context.input(i) != nullptr && context.input(i)->dtype() != x.dtype()) {
      return context.Error("a bound has another element type than the input");
    }
  }
  return DispatchElements(context, x.dtype(), Elements::kNumbers, [&]<class T>(T) {
    const T low = Bound<T>(context, 1, "min", std::numeric_limits<T>::lowest());
    const T high = Bound<T>(context, 2, "max", std::numeric_limits<T>::max());
    context.outputs[0] = Tensor(x.dtype(), x.dims());
    T* y = context.outputs[0].Data<T>();
    for (int64_t i = 0, n = x.NumElements(); i < n; ++i) {
      const T raised = x.Data<T>()[i] < low ? low : x.Data<T>()[i];
      y[i] = high < raised ? high : raised;
    }
    return Status();
  });
}

}  // namespace

extern const OpDef op_clip = {"Clip", "", 6, InferUnary, Eval};

}  // namespace tamis
