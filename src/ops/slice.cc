#include <algorithm>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"

namespace tamis {
namespace {

struct Cut {
  Dim start;
  Dim length;
  int64_t step = 1;
};

// An index that is negative from the end and clamped to [low, high]; nullopt if its sign can't be told.
std::optional<Dim> ClampedIndex(const Dim& index, const Dim& size, const Dim& low, const Dim& high) {
  constexpr int64_t kFar = INT32_MAX;  // what exporters write for "to the end"; no dimension is that long
  if (const auto constant = index.Constant(); constant && !size.IsConstant()) {
    if (*constant >= kFar) return high;
    if (*constant <= -kFar) return low;
  }
  if (index.NonNegative()) return Dim::Min(Dim::Max(index, low), high);
  if ((Dim(-1) - index).NonNegative()) return Dim::Min(Dim::Max(size + index, low), high);
  return std::nullopt;
}

std::optional<Cut> CutAxis(const Dim& size, const Dim& start, const Dim& end, int64_t step) {
  if (size == Dim(0)) return Cut{Dim(0), Dim(0), step};
  const bool forward = step > 0;
  const Dim high = forward ? size : size - Dim(1);
  const auto first = ClampedIndex(start, size, Dim(0), high);
  const auto last = ClampedIndex(end, size, Dim(forward ? 0 : -1), high);
  if (!first || !last) return std::nullopt;
  const Dim distance = Dim::Max(forward ? *last - *first : *first - *last, Dim(0));
  return Cut{*first, Dim::CeilDiv(distance, Dim(forward ? step : -step)), step};
}

// One cut per axis of the data; nullopt where a bound is computed at run time.
Result<std::vector<std::optional<Cut>>> ReadCuts(const InferContext& context, const Shape& shape) {
  TAMIS_ASSIGN_OR_RETURN(const IntList starts, ReadInts(context, 1, "starts"));
  TAMIS_ASSIGN_OR_RETURN(const IntList ends, ReadInts(context, 2, "ends"));
  TAMIS_ASSIGN_OR_RETURN(IntList axes, ReadInts(context, 3, "axes"));
  TAMIS_ASSIGN_OR_RETURN(const IntList steps, ReadInts(context, 4, "steps"));
  if (!starts.given || !ends.given) return context.Error("starts or ends are missing");
  std::vector<std::optional<Cut>> cuts;
  for (const Dim& dim : shape) cuts.push_back(Cut{Dim(0), dim, 1});
  const std::vector<std::optional<Cut>> nothing_known(shape.size());
  if (axes.given && !axes.constant) return nothing_known;
  if (!axes.given) {
    if (!starts.known) return nothing_known;
    for (size_t i = 0; i < starts.values.size(); ++i) axes.constants.push_back(static_cast<int64_t>(i));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto at, ResolvedAxes(context, axes.constants, static_cast<int64_t>(shape.size())));
  for (const IntList* list : {&starts, &ends, &steps}) {
    if (list->known && list->values.size() != at.size()) {
      return context.Error(fmt::format("starts, ends and steps must be as many as the {} axes", at.size()));
    }
  }
  for (size_t i = 0; i < at.size(); ++i) {
    auto& cut = cuts[static_cast<size_t>(at[i])];
    cut.reset();
    if (!starts.known || !ends.known || (steps.given && !steps.constant)) continue;
    const int64_t step = steps.given ? std::clamp(steps.constants[i], -kMaxElements, kMaxElements) : 1;
    if (step == 0) return context.Error("a step is 0");
    cut = CutAxis(shape[static_cast<size_t>(at[i])], starts.values[i], ends.values[i], step);
  }
  return cuts;
}

// Inputs from opset 10 on: data, starts, ends, axes?, steps?; attributes before.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 5));
  const Shape* shape = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto cuts, ReadCuts(context, *shape));
  Shape result;
  for (size_t axis = 0; axis < cuts.size(); ++axis) {
    result.push_back(cuts[axis] ? cuts[axis]->length : context.DataDim(0, axis));
  }
  const auto contents = Contents(context, 0);
  if (contents && shape->size() == 1 && cuts[0] && (*shape)[0] == Dim(static_cast<int64_t>(contents->size()))) {
    const auto start = cuts[0]->start.Constant();
    const auto length = cuts[0]->length.Constant();
    if (start && length) {
      std::vector<Dim> picked;
      for (int64_t i = 0; i < *length; ++i)
        picked.push_back((*contents)[static_cast<size_t>(*start + i * cuts[0]->step)]);
      SetTracked(context, 0, std::move(picked));
    }
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& data = *context.input(0);
  TAMIS_ASSIGN_OR_RETURN(const auto cuts, ReadCuts(*bound->infer, ToShape(data.dims())));
  if (context.outputs[0].NumElements() == 0) return {};
  std::vector<int64_t> strides = RowMajorStrides(data.dims());
  int64_t first = 0;
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    first += cuts[axis]->start.Constant().value_or(0) * strides[axis];
    if (context.outputs[0].dims()[axis] > 1) strides[axis] *= cuts[axis]->step;
  }
  CopyStrided(data.raw(), first, context.outputs[0].dims(), strides, ElementBytes(data), context.outputs[0].raw());
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data = SampleFloats(1, {4, 6});
  const auto ints = [](std::vector<int64_t> values) { return Tensor::Int64s(values); };
  return {{{data, ints({1, -1}), ints({9, -7}), ints({0, 1}), ints({1, -2})}, {}},
          {{data, ints({-2}), ints({INT64_MAX}), ints({-1})}, {}}};
}

}  // namespace

extern const OpDef op_slice = {.name = "Slice",
                               .domain = "",
                               .since_opset = 1,
                               .infer = Infer,
                               .eval = EvalMoved<Eval>,
                               .test_cases = Cases,
                               .widen_half = false};

}  // namespace tamis
