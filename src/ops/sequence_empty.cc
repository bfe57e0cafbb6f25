#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  const int64_t dtype = context.node().Int("dtype", static_cast<int64_t>(DType::kFloat32));
  if (Name(static_cast<DType>(dtype)) == Name(DType::kUndefined)) {
    return context.Error(fmt::format("dtype {} is no element type", dtype));
  }
  Type element;
  element.dtype = static_cast<DType>(dtype);
  context.SetOutput(0, SequenceOf(std::move(element)));
  return {};
}

Status Eval(DataContext& context) {
  context.outputs[0] = Datum::Sequence({});
  return {};
}

}  // namespace

extern const OpDef op_sequence_empty = {
    .name = "SequenceEmpty", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
