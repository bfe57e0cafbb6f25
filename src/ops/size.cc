// Size: the number of elements.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  context.SetOutput(0, DType::kInt64, {});
  if (const Shape* shape = context.InputShape(0)) context.SetOutputContents(0, {Product(*shape, 0, shape->size())});
  return {};
}

Status Eval(EvalContext& context) {
  const int64_t count = context.input(0)->NumElements();
  context.outputs[0] = Tensor::Of<int64_t>(DType::kInt64, {}, std::span<const int64_t>(&count, 1));
  return {};
}

}  // namespace

extern const OpDef op_size = {.name = "Size", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
