#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: a sequence, then sequences of the same length or tensors. The body takes an element of each sequence, and
// tensors as they are; what it gives is collected in sequences.
Status Infer(InferContext& context) {
  const Node& node = context.node();
  if (node.regions.size() != 1) return context.Error("needs the graph body");
  TAMIS_RETURN_IF_ERROR(SequenceElement(context, 0).status());
  std::vector<Type> types;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!context.HasInput(i)) return context.Error(fmt::format("input {} is missing", i));
    Type type = *context.InputType(i);
    if (IsSequence(&type)) {
      // An element's symbols are not the same size in each.
      Type element = type.element ? *type.element : Type{};
      for (size_t axis = 0; axis < element.shape.size(); ++axis) {
        if (!element.shape[axis].IsConstant()) element.shape[axis] = context.DataDim(0, 64 * (i + 1) + axis);
      }
      type = std::move(element);
    }
    types.push_back(std::move(type));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto given, context.InferRegion(0, types));
  if (given.size() < node.outputs.size()) {
    return context.Error(fmt::format("has {} outputs, the body gives {} values", node.outputs.size(), given.size()));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (!given[i].IsTensor()) {
      return context.Error(fmt::format("the body's output {} is {}, must be a tensor", i, given[i].ToString()));
    }
    context.SetOutput(i, SequenceOf(OutsideType(context, i, given[i])));
  }
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto first, SequenceElements(context, 0));
  std::vector<Datum> operands(context.inputs.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    const Datum* input = context.input(i);
    if (input == nullptr) return context.Error(fmt::format("input {} is missing", i));
    if (input->IsSequence() && input->elements().size() != first.size()) {
      return context.Error(
          fmt::format("input {} has {} elements, input 0 has {}", i, input->elements().size(), first.size()));
    }
    if (!input->IsSequence()) operands[i] = *input;
  }
  std::vector<std::vector<Datum>> collected(context.outputs.size());
  for (size_t k = 0; k < first.size(); ++k) {
    for (size_t i = 0; i < operands.size(); ++i) {
      if (context.input(i)->IsSequence()) operands[i] = context.input(i)->elements()[k];
    }
    TAMIS_ASSIGN_OR_RETURN(std::vector<Datum> results, context.regions->Run(0, operands));
    if (results.size() < collected.size()) return context.Error("the body gives too few values");
    for (size_t i = 0; i < collected.size(); ++i) collected[i].push_back(std::move(results[i]));
  }
  for (size_t i = 0; i < collected.size(); ++i) context.outputs[i] = Datum::Sequence(std::move(collected[i]));
  return {};
}

}  // namespace

extern const OpDef op_sequence_map = {
    .name = "SequenceMap", .domain = "", .since_opset = 17, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
