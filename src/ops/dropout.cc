#include <algorithm>

#include "src/ops/op_bind.h"

namespace tamis {
namespace {

// Inputs: data, ratio?, training_mode?. Only inference is understood: the data passes and the mask is all true.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  if (context.HasInput(2)) {
    const Tensor* training = context.InputConstant(2);
    if (training == nullptr || training->dtype() != DType::kBool || training->NumElements() != 1) {
      return context.Error("training_mode must be a constant bool: only inference is supported");
    }
    if (training->Data<uint8_t>()[0] != 0) return context.Error("training_mode is true: only inference is supported");
  }
  context.SetOutput(0, *context.InputType(0));
  Type mask = *context.InputType(0);
  mask.dtype = context.opset() < 10 ? context.InputDType(0) : DType::kBool;
  context.SetOutput(1, mask);
  return {};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  context.outputs[0] = *context.input(0);
  if (context.outputs.size() < 2) return {};
  const DType dtype = bound->infer->output_types[1]->dtype;
  TAMIS_ASSIGN_OR_RETURN(context.outputs[1], Allocate(context, dtype, context.input(0)->dims()));
  Tensor& mask = context.outputs[1];
  if (dtype == DType::kFloat32) {
    std::ranges::fill(mask.Span<float>(), 1.0f);
  } else if (dtype == DType::kFloat64) {
    std::ranges::fill(mask.Span<double>(), 1.0);
  } else {
    std::ranges::fill(mask.Span<uint8_t>(), uint8_t{1});
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {2, 3})}, {{"ratio", 0.5f}}}};
}

}  // namespace

extern const OpDef op_dropout = {
    .name = "Dropout", .domain = "", .since_opset = 7, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
