#include "src/ops/op_bind.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: sequence, tensor, position?. Without a position the tensor comes last.
Status Infer(InferContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Type element, SequenceElement(context, 0));
  if (!context.HasInput(1)) return context.Error("input 1 is missing");
  const Type& tensor = *context.InputType(1);
  const auto joined = JoinTypes(context, 0, element, tensor);
  if (!joined || !tensor.IsTensor()) {
    return context.Error(
        fmt::format("{} can't be inserted into a sequence of {}", tensor.ToString(), element.ToString()));
  }
  if (context.HasInput(2)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 2, kIntegers));
  context.SetOutput(0, SequenceOf(*joined));
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto elements, SequenceElements(context, 0));
  TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, 1));
  const auto size = static_cast<int64_t>(elements.size());
  int64_t position = size;
  if (context.input(2) != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(position, ScalarOperand(context, 2));
    if (position < -size || position > size) {
      return context.Error(fmt::format("position {} is outside [{}, {}] of the sequence", position, -size, size));
    }
    if (position < 0) position += size;
  }
  if (!elements.empty() && elements[0].IsTensor() && elements[0].tensor().dtype() != tensor->dtype()) {
    return context.Error(fmt::format("a tensor {} can't be inserted into a sequence of {}", Name(tensor->dtype()),
                                     Name(elements[0].tensor().dtype())));
  }
  std::vector<Datum> result;
  result.reserve(elements.size() + 1);
  result.insert(result.end(), elements.begin(), elements.begin() + position);
  result.emplace_back(*tensor);
  result.insert(result.end(), elements.begin() + position, elements.end());
  context.outputs[0] = Datum::Sequence(std::move(result));
  return {};
}

}  // namespace

extern const OpDef op_sequence_insert = {
    .name = "SequenceInsert", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
