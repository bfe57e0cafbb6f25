#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  if (context.NumInputs() == 0) return context.Error("needs at least one input");
  Type element;
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    if (!context.HasInput(i)) return context.Error(fmt::format("input {} is missing", i));
    const Type& type = *context.InputType(i);
    if (!type.IsTensor()) return context.Error(fmt::format("input {} is {}, must be a tensor", i, type.ToString()));
    auto joined = JoinTypes(context, 0, element, type);
    if (!joined) {
      return context.Error(
          fmt::format("input {} is {}, the ones before are {}", i, type.ToString(), element.ToString()));
    }
    element = std::move(*joined);
  }
  context.SetOutput(0, SequenceOf(std::move(element)));
  return {};
}

Status Eval(DataContext& context) {
  std::vector<Datum> elements;
  for (size_t i = 0; i < context.inputs.size(); ++i) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, i));
    if (!elements.empty() && tensor->dtype() != elements[0].tensor().dtype()) {
      return context.Error(fmt::format("input {} is {}, the ones before are {}", i, Name(tensor->dtype()),
                                       Name(elements[0].tensor().dtype())));
    }
    elements.emplace_back(*tensor);
  }
  context.outputs[0] = Datum::Sequence(std::move(elements));
  return {};
}

}  // namespace

extern const OpDef op_sequence_construct = {
    .name = "SequenceConstruct", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
