#include <algorithm>
#include <span>

#include "src/ops/op_data.h"

namespace tamis {
namespace {

// Attributes start and end (opset 15) are clamped to [0, rank].
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) {
    context.SetOutputDType(0, DType::kInt64);
    return {};
  }
  const auto rank = static_cast<int64_t>(shape->size());
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + rank : i, 0, rank); };
  const int64_t start = clamp(std::max(context.node().Int("start", 0), -rank));
  const int64_t end = std::max(start, clamp(std::max(context.node().Int("end", rank), -rank)));
  SetTracked(context, 0, {shape->begin() + start, shape->begin() + end});
  return SetShape(context, 0, DType::kInt64, {end - start});
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, BindInputs(context));
  const int64_t size = bound->infer->output_types[0]->shape[0].Constant().value_or(0);
  const auto rank = static_cast<int64_t>(context.input(0)->dims().size());
  const int64_t start = context.node.Int("start", 0);
  const int64_t first = std::clamp<int64_t>(start < 0 ? std::max(start, -rank) + rank : start, 0, rank);
  context.outputs[0] = Tensor::Int64s(
      std::span(context.input(0)->dims()).subspan(static_cast<size_t>(first), static_cast<size_t>(size)));
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{Tensor(DType::kFloat32, {2, 3, 4})}, {}},
          {{Tensor(DType::kFloat32, {2, 3, 4})}, {{"start", int64_t{-2}}, {"end", int64_t{9}}}}};
}

}  // namespace

extern const OpDef op_shape = {.name = "Shape",
                               .domain = "",
                               .since_opset = 1,
                               .infer = Infer,
                               .eval = Eval,
                               .test_cases = Cases,
                               .widen_half = false};

}  // namespace tamis
