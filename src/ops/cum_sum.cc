#include <algorithm>
#include <functional>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// Inputs: data, axis (one number).
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const Shape* shape = context.InputShape(0);
  const auto axis = ConstantInt(context, 1);
  if (shape != nullptr && axis)
    TAMIS_RETURN_IF_ERROR(ResolvedAxis(context, *axis, static_cast<int64_t>(shape->size())).status());
  context.SetOutput(0, *context.InputType(0));
  return {};
}

template <class W>
void Accumulate(EvalContext& context, size_t axis) {
  const Tensor& data = *context.input(0);
  const bool exclusive = context.node.Int("exclusive", 0) != 0;
  const bool reverse = context.node.Int("reverse", 0) != 0;
  const int64_t size = data.dims()[axis];
  const int64_t step = CountOf(data.dims(), axis + 1, data.dims().size());
  const WideReader reader(data, data.dims());
  for (int64_t row = 0; row < data.NumElements() / std::max<int64_t>(size, 1); ++row) {
    const int64_t first = row / step * step * size + row % step;
    W sum{};
    for (int64_t i = 0; i < size; ++i) {
      const int64_t at = first + (reverse ? size - 1 - i : i) * step;
      W value{};
      reader.Read<W>(at, std::span(&value, 1));
      const W before = sum;
      sum = Wrapping(sum, value, std::plus<>());
      WriteWide<W>(context.outputs[0], at, std::span<const W>(exclusive ? &before : &sum, 1));
    }
  }
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  if (context.input(1)->NumElements() != 1) return context.Error("the axis must be one number");
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(*bound->infer, context.input(1)->ToInt64s()[0], context.input(0)->rank()));
  switch (WideOf(context.input(0)->dtype())) {
    case Wide::kDouble:
      Accumulate<double>(context, static_cast<size_t>(axis));
      break;
    case Wide::kInt64:
      Accumulate<int64_t>(context, static_cast<size_t>(axis));
      break;
    case Wide::kUint64:
      Accumulate<uint64_t>(context, static_cast<size_t>(axis));
      break;
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  return {
      {{SampleFloats(1, {2, 3, 4}), SampleInts(2, {}, 1, 1)}, {}},
      {{SampleInts(3, {5}, -9, 9), SampleInts(4, {}, -1, -1)}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}}};
}

}  // namespace

extern const OpDef op_cum_sum = {
    .name = "CumSum", .domain = "", .since_opset = 11, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
