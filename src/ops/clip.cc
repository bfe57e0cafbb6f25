#include <cmath>
#include <limits>

#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Bounds are attributes before opset 11, optional scalar inputs after; where min > max, max wins.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 3));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  for (size_t i = 1; i < context.NumInputs(); ++i) {
    if (!context.HasInput(i)) continue;
    TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, i));
    const Shape* shape = context.InputShape(i);
    if (shape != nullptr && Product(*shape, 0, shape->size()).Constant().value_or(1) != 1) {
      return context.Error(fmt::format("input {} must be a scalar, has dimensions {}", i, ToString(*shape)));
    }
  }
  context.SetOutput(0, *context.InputType(0));
  return {};
}

template <class W>
void Clip(EvalContext& context, W low, W high) {
  const auto scalar = [&](size_t i, W* value) {
    if (const Tensor* input = context.input(i)) WideReader(*input, input->dims()).Read<W>(0, std::span<W>(value, 1));
  };
  scalar(1, &low);
  scalar(2, &high);
  MapElements<W, 1>(context, [=](W x) {
    const W raised = x < low ? low : x;  // NaN stays
    return raised > high ? high : raised;
  });
}

Status Eval(EvalContext& context) {
  const auto bound = Bind(context);
  if (!bound.ok()) return bound.status();
  for (size_t i : {1, 2}) {
    if (context.input(i) != nullptr && context.input(i)->NumElements() != 1) {
      return context.Error(fmt::format("input {} must be a scalar", i));
    }
  }
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble: {
      constexpr float kLargest = std::numeric_limits<float>::infinity();
      Clip<double>(context, context.node.Float("min", -kLargest), context.node.Float("max", kLargest));
      break;
    }
    case Wide::kInt64:
      Clip<int64_t>(context, INT64_MIN, INT64_MAX);
      break;
    case Wide::kUint64:
      Clip<uint64_t>(context, 0, UINT64_MAX);
      break;
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {{{SampleFloats(1, {3, 5}), Tensor::Float(-1), Tensor::Float(0.5f)}, {}}, {{SampleInts(2, {7}, -9, 9)}, {}}};
}

}  // namespace

extern const OpDef op_clip = {
    .name = "Clip", .domain = "", .since_opset = 6, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
