#include "src/ops/op_bind.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: sequence, position?. Without a position the last element goes.
Status Infer(InferContext& context) {
  TAMIS_ASSIGN_OR_RETURN(Type element, SequenceElement(context, 0));
  if (context.HasInput(1)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  context.SetOutput(0, SequenceOf(std::move(element)));
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto elements, SequenceElements(context, 0));
  const auto size = static_cast<int64_t>(elements.size());
  int64_t position = -1;
  if (context.input(1) != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(position, ScalarOperand(context, 1));
  }
  if (position < -size || position >= size) {
    return context.Error(fmt::format("position {} is outside of a sequence of {} elements", position, size));
  }
  std::vector<Datum> result(elements.begin(), elements.end());
  result.erase(result.begin() + (position < 0 ? position + size : position));
  context.outputs[0] = Datum::Sequence(std::move(result));
  return {};
}

}  // namespace

extern const OpDef op_sequence_erase = {
    .name = "SequenceErase", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
