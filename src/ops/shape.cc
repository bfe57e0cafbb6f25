// Shape, with start and end since opset 15.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

struct Range {
  size_t begin, end;
};

Range RangeOf(const Node& node, size_t rank) {
  const auto clamp = [rank](int64_t axis) {
    const auto signed_rank = static_cast<int64_t>(rank);
    return static_cast<size_t>(std::clamp<int64_t>(axis < 0 ? axis + signed_rank : axis, 0, signed_rank));
  };
  const size_t begin = clamp(node.Int("start", 0));
  const size_t end = clamp(node.Int("end", static_cast<int64_t>(rank)));
  return {begin, std::max(begin, end)};
}

Status Infer(InferContext& context) {
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, DType::kInt64);
    return {};
  }
  const Range range = RangeOf(context.node(), shape->size());
  context.SetOutput(0, DType::kInt64, {Dim(static_cast<int64_t>(range.end - range.begin))});
  const auto begin = shape->begin();
  context.SetOutputContents(
      0, Shape(begin + static_cast<std::ptrdiff_t>(range.begin), begin + static_cast<std::ptrdiff_t>(range.end)));
  return {};
}

Status Eval(EvalContext& context) {
  const Dims& dims = context.input(0)->dims();
  const Range range = RangeOf(context.node, dims.size());
  context.outputs[0] = Tensor::Int64s(std::span<const int64_t>(dims).subspan(range.begin, range.end - range.begin));
  return {};
}

}  // namespace

extern const OpDef op_shape = {.name = "Shape", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
