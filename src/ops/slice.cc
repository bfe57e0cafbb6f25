// Slice: bounds are attributes before opset 10, inputs since.
#include "src/ops/op_data.h"

namespace tamis {
namespace {

// starts, ends, axes, steps of one node; axes resolved, steps defaulted to 1.
template <class Number>
struct Bounds {
  std::vector<Number> starts, ends;
  std::vector<size_t> axes;
  std::vector<int64_t> steps;
};

// The number of elements that begin, begin + step, ... before `end` has, all within a dimension of `size`.
struct Extent {
  int64_t begin, count;
};

Extent ExtentOf(int64_t start, int64_t end, int64_t step, int64_t size) {
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? size : size - 1;
  const auto settle = [&](int64_t x) { return std::clamp(x < 0 ? x + size : x, low, high); };
  const int64_t begin = settle(start);
  // A negative end below -size means "before the first element" when walking down.
  const int64_t stop = settle(end);
  const int64_t distance = step > 0 ? stop - begin : begin - stop;
  const int64_t pace = step > 0 ? step : -step;
  return {begin, distance <= 0 ? 0 : (distance - 1) / pace + 1};
}

template <class Number>
Status CheckBounds(Bounds<Number>* bounds, const std::vector<int64_t>& axes, size_t rank) {
  const size_t n = bounds->starts.size();
  if (bounds->steps.empty()) bounds->steps.assign(n, 1);
  if (bounds->ends.size() != n || axes.size() != n || bounds->steps.size() != n) {
    return UserError("starts, ends, axes and steps differ in length");
  }
  for (size_t i = 0; i < n; ++i) {
    const auto axis = ResolveAxis(axes[i], rank);
    if (!axis) return UserError("axis {} is out of range for rank {}", axes[i], rank);
    if (bounds->steps[i] == 0) return UserError("a step is 0");
    if (bounds->steps[i] == INT64_MIN) return UserError("a step is too small");
    bounds->axes.push_back(*axis);
  }
  return {};
}

std::vector<int64_t> DefaultAxes(size_t n) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < n; ++i) axes.push_back(static_cast<int64_t>(i));
  return axes;
}

std::optional<std::vector<int64_t>> Constants(const std::optional<std::vector<Dim>>& dims) {
  if (!dims) return std::nullopt;
  std::vector<int64_t> values;
  for (const Dim& dim : *dims) {
    if (!dim.IsConstant()) return std::nullopt;
    values.push_back(*dim.Constant());
  }
  return values;
}

// The new size of a dimension where bounds or the size are symbolic; nullopt if it can't be said.
std::optional<Dim> SymbolicExtent(const Dim& start, const Dim& end, int64_t step, const Dim& size) {
  const auto s = start.Constant();
  const auto e = end.Constant();
  if (step != 1) return std::nullopt;
  if (e && *e >= (int64_t{1} << 31) - 1) {  // "to the end", as exporters write it
    if (!s) return Dim::Max(size - start, Dim(0));
    return *s < 0 ? Dim::Min(Dim(-*s), size) : *s == 0 ? size : Dim::Max(size - start, Dim(0));
  }
  if (s && *s >= 0 && e && *e >= 0) return Dim::Max(Dim::Min(end, size) - start, Dim(0));
  if (s && *s >= 0 && e && *e < 0) return Dim::Max(size + end - start, Dim(0));
  if (s && *s >= 0 && !e) {
    // A symbolic end is a length that the network computed; it may pass the dimension only if that is constant.
    const Dim stop = end == size ? size : Dim::Min(end, size);
    return *s == 0 ? stop : Dim::Max(stop - start, Dim(0));
  }
  if (!s && (!e || *e >= 0)) return Dim::Max(Dim::Min(end, size) - start, Dim(0));
  return std::nullopt;
}

Status Infer(InferContext& context) {
  const Shape* x = context.InputShape(0);
  context.SetOutputDType(0, context.InputDType(0));
  if (x == nullptr) return {};
  Bounds<Dim> bounds;
  std::vector<int64_t> axes;
  if (context.NumInputs() > 1) {
    const auto starts = context.InputContents(1);
    const auto ends = context.InputContents(2);
    if (!starts || !ends) return {};
    bounds.starts = *starts;
    bounds.ends = *ends;
    axes = DefaultAxes(starts->size());
    if (context.HasInput(3)) {
      const auto given = Constants(context.InputContents(3));
      if (!given) return {};
      axes = *given;
    }
    if (context.HasInput(4)) {
      const auto steps = Constants(context.InputContents(4));
      if (!steps) return {};
      bounds.steps = *steps;
    }
  } else {
    bounds.starts = ToShape(context.node().Ints("starts"));
    bounds.ends = ToShape(context.node().Ints("ends"));
    axes = context.node().Ints("axes", DefaultAxes(bounds.starts.size()));
  }
  const Status status = CheckBounds(&bounds, axes, x->size());
  if (!status.ok()) return context.Error(status.message());
  Shape shape = *x;
  for (size_t i = 0; i < bounds.axes.size(); ++i) {
    Dim& size = shape[bounds.axes[i]];
    const auto start = bounds.starts[i].Constant();
    const auto end = bounds.ends[i].Constant();
    if (start && end && size.IsConstant()) {
      size = Dim(ExtentOf(*start, *end, bounds.steps[i], *size.Constant()).count);
      continue;
    }
    const auto extent = SymbolicExtent(bounds.starts[i], bounds.ends[i], bounds.steps[i], size);
    if (!extent) return {};
    size = *extent;
  }
  context.SetOutput(0, context.InputDType(0), shape);
  const auto contents = context.InputContents(0);
  if (!contents || x->size() != 1 || bounds.axes.size() != 1) return {};
  const auto start = bounds.starts[0].Constant();
  const auto end = bounds.ends[0].Constant();
  if (!start || !end) return {};
  const Extent extent = ExtentOf(*start, *end, bounds.steps[0], static_cast<int64_t>(contents->size()));
  std::vector<Dim> part;
  for (int64_t i = 0; i < extent.count; ++i) {
    part.push_back((*contents)[static_cast<size_t>(extent.begin + i * bounds.steps[0])]);
  }
  context.SetOutputContents(0, std::move(part));
  return {};
}

Status Eval(EvalContext& context) {
  const Tensor& x = *context.input(0);
  Bounds<int64_t> bounds;
  std::vector<int64_t> axes;
  if (context.inputs.size() > 1) {
    if (context.input(1) == nullptr || context.input(2) == nullptr) return context.Error("starts or ends are missing");
    bounds.starts = context.input(1)->ToInt64s();
    bounds.ends = context.input(2)->ToInt64s();
    axes = context.input(3) ? context.input(3)->ToInt64s() : DefaultAxes(bounds.starts.size());
    if (context.input(4) != nullptr) bounds.steps = context.input(4)->ToInt64s();
  } else {
    bounds.starts = context.node.Ints("starts");
    bounds.ends = context.node.Ints("ends");
    axes = context.node.Ints("axes", DefaultAxes(bounds.starts.size()));
  }
  const Status status = CheckBounds(&bounds, axes, x.dims().size());
  if (!status.ok()) return context.Error(status.message());
  Dims dims = x.dims();
  Dims strides = StridesOf(dims);
  int64_t offset = 0;
  for (size_t i = 0; i < bounds.axes.size(); ++i) {
    const size_t axis = bounds.axes[i];
    const Extent extent = ExtentOf(bounds.starts[i], bounds.ends[i], bounds.steps[i], dims[axis]);
    offset += extent.begin * strides[axis];
    dims[axis] = extent.count;
    if (extent.count > 1) strides[axis] *= bounds.steps[i];
  }
  Tensor y(x.dtype(), dims);
  Dims index(dims.size(), 0);
  CopyElements(x, &y, [&](int64_t) {
    const int64_t source = offset;
    for (size_t axis = dims.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < dims[axis]) break;
      offset -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
    return source;
  });
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpDef op_slice = {.name = "Slice", .since_opset = 1, .infer = Infer, .eval = Eval, .widen_half = false};

}  // namespace tamis
