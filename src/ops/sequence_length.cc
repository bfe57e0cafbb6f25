#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(SequenceElement(context, 0).status());
  context.SetOutput(0, DType::kInt64, {});
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto elements, SequenceElements(context, 0));
  const auto size = static_cast<int64_t>(elements.size());
  context.outputs[0] = Tensor::Of<int64_t>(DType::kInt64, {}, std::span<const int64_t>(&size, 1));
  return {};
}

}  // namespace

extern const OpDef op_sequence_length = {
    .name = "SequenceLength", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
