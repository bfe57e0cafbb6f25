// Mean of any number of inputs, with broadcasting.
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Dims dims, BroadcastDims(context));
  const DType dtype = context.input(0)->dtype();
  return DispatchElements(context, dtype, Elements::kFloats, [&]<class T>(T) {
    std::vector<Dims> shapes;
    for (const Tensor* input : context.inputs) {
      if (input->dtype() != dtype) return context.Error("the operands have different element types");
      shapes.push_back(input->dims());
    }
    Tensor y(dtype, dims);
    BroadcastWalk walk(dims, shapes);
    for (int64_t i = 0, n = y.NumElements(); i < n; ++i, walk.Next()) {
      double sum = 0;
      for (size_t k = 0; k < shapes.size(); ++k) sum += context.inputs[k]->Data<T>()[walk.offsets()[k]];
      y.Data<T>()[i] = static_cast<T>(sum / static_cast<double>(shapes.size()));
    }
    context.outputs[0] = std::move(y);
    return Status();
  });
}

}  // namespace

extern const OpDef op_mean = {"Mean", "", 8, InferBroadcast, Eval};

}  // namespace tamis
