#include "src/ops/op_bind.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: sequence, position.
Status Infer(InferContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Type element, SequenceElement(context, 0));
  if (!context.HasInput(1)) return context.Error("input 1 is missing");
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  context.SetOutput(0, OutsideType(context, 0, element));
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto elements, SequenceElements(context, 0));
  TAMIS_ASSIGN_OR_RETURN(const int64_t position, ScalarOperand(context, 1));
  const auto size = static_cast<int64_t>(elements.size());
  if (position < -size || position >= size) {
    return context.Error(fmt::format("position {} is outside of a sequence of {} elements", position, size));
  }
  context.outputs[0] = elements[static_cast<size_t>(position < 0 ? position + size : position)];
  return {};
}

}  // namespace

extern const OpDef op_sequence_at = {
    .name = "SequenceAt", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
