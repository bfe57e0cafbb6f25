#include "src/ops/op_pool.h"

#include <cmath>
#include <limits>

#include "src/ops/op_doubles.h"
#include "src/ops/op_epilogue.h"

namespace tamis {
namespace {

size_t FirstSpatial(Layout layout) {
  return layout == Layout::kChannelsFirst ? 2 : 1;
}

std::span<const int64_t> SpatialDims(const Dims& dims, Layout layout) {
  return std::span<const int64_t>(dims).subspan(FirstSpatial(layout), dims.size() - 2);
}

// Where channel `c` of item `n` lies: element s of its plane is at base + s * step.
struct Plane {
  int64_t base;
  int64_t step;
};
Plane PlaneOf(Layout layout, int64_t n, int64_t c, int64_t channels, int64_t size) {
  if (layout == Layout::kChannelsFirst) return {(n * channels + c) * size, 1};
  return {n * channels * size + c, channels};
}

template <class T>
constexpr T Lowest() {
  if constexpr (std::numeric_limits<T>::has_infinity) return -std::numeric_limits<T>::infinity();
  return std::numeric_limits<T>::lowest();
}

template <class T>
T Maximum(const T* plane, int64_t step, std::span<const Tap> taps) {
  T best = Lowest<T>();
  for (const Tap& tap : taps) {
    const T value = plane[tap.input * step];
    if (value > best || value != value) best = value;
  }
  return best;
}

template <class T>
T Average(const T* plane, int64_t step, std::span<const Tap> taps, int64_t count) {
  double sum = 0;
  for (const Tap& tap : taps) sum += static_cast<double>(plane[tap.input * step]);
  return count == 0 ? T{} : static_cast<T>(sum / static_cast<double>(count));
}

// `f(plane, step, position, taps)` gives the pooled value of each window of each channel.
template <class T, class F>
void ForEachResult(EvalContext& context, Layout layout, const WindowGeometry& geometry, F&& f) {
  const Tensor& x = *context.input(0);
  const int64_t channels = x.dim(layout == Layout::kChannelsFirst ? 1 : -1);
  T* out = context.outputs[0].Data<T>();
  for (int64_t n = 0; n < x.dim(0); ++n) {
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      for (int64_t c = 0; c < channels; ++c) {
        const Plane from = PlaneOf(layout, n, c, channels, geometry.InputSize());
        const Plane to = PlaneOf(layout, n, c, channels, geometry.OutputSize());
        out[to.base + position * to.step] = f(x.Data<T>() + from.base, from.step, position, taps);
      }
    });
  }
}

template <class T>
void PoolMaximum(EvalContext& context, Layout layout, const WindowGeometry& geometry) {
  ForEachResult<T>(context, layout, geometry, [](const T* plane, int64_t step, int64_t, std::span<const Tap> taps) {
    return Maximum(plane, step, taps);
  });
}

template <class T>
void PoolAverage(EvalContext& context, Layout layout, const WindowGeometry& geometry, bool include_pad) {
  const std::vector<int64_t> counts = include_pad ? PaddedTapCounts(geometry) : std::vector<int64_t>();
  ForEachResult<T>(context, layout, geometry,
                   [&](const T* plane, int64_t step, int64_t position, std::span<const Tap> taps) {
                     const auto inside = static_cast<int64_t>(taps.size());
                     return Average(plane, step, taps, include_pad ? counts[static_cast<size_t>(position)] : inside);
                   });
}

void Dispatch(EvalContext& context, Layout layout, PoolKind kind, const WindowGeometry& geometry, bool include_pad) {
  const DType dtype = context.input(0)->dtype();
  if (kind == PoolKind::kAverage) {
    dtype == DType::kFloat64 ? PoolAverage<double>(context, layout, geometry, include_pad)
                             : PoolAverage<float>(context, layout, geometry, include_pad);
    return;
  }
  switch (dtype) {
    case DType::kInt8:
      return PoolMaximum<int8_t>(context, layout, geometry);
    case DType::kUInt8:
      return PoolMaximum<uint8_t>(context, layout, geometry);
    case DType::kFloat64:
      return PoolMaximum<double>(context, layout, geometry);
    default:
      return PoolMaximum<float>(context, layout, geometry);
  }
}

}  // namespace

Result<std::vector<Type>> PoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems) {
  operands.CheckCount(1, 1, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  const std::vector<int64_t> kernel = operands.node().Ints("kernel_shape");
  if (kernel.empty()) problems.Add("attribute 'kernel_shape' is missing");
  const Shape* x = operands.shape(0);
  if (x != nullptr && x->size() >= 3 && !kernel.empty() && kernel.size() != x->size() - 2) {
    problems.Add("attribute 'kernel_shape' is {} but input {} has {} spatial axes", ToString(kernel), ToString(*x),
                 x->size() - 2);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const auto attributes = layout == Layout::kChannelsLast ? WindowAttributes::kExplicitPads : WindowAttributes::kOnnx;
  const SlidingWindow window = ReadWindow(operands.node(), kernel, attributes, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (x == nullptr) return std::vector<Type>{Unranked(y)};
  Shape shape = *x;
  for (size_t i = 0; i < window.rank(); ++i) {
    Dim& dim = shape[FirstSpatial(layout) + i];
    dim = WindowOutput(window, i, dim, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(y, std::move(shape))};
}

Result<std::vector<Type>> GlobalPoolType(const Operands& operands, Layout layout, DType y, NodeProblems problems) {
  operands.CheckCount(1, 1, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (operands.shape(0) == nullptr) return std::vector<Type>{Unranked(y)};
  Shape shape = *operands.shape(0);
  if (layout == Layout::kChannelsLast && operands.node().Int("keepdims", 1) == 0) {
    return std::vector<Type>{Type::Tensor(y, {shape.front(), shape.back()})};
  }
  for (size_t i = 0; i + 2 < shape.size(); ++i) shape[FirstSpatial(layout) + i] = Dim(1);
  return std::vector<Type>{Type::Tensor(y, std::move(shape))};
}

void ComputePool(EvalContext& context, Layout layout, PoolKind kind) {
  if (context.outputs[0].NumElements() == 0) return;
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(context.node, context.node.Ints("kernel_shape"), WindowAttributes::kOnnx, &problems);
  const WindowGeometry geometry =
      GeometryOf(window, SpatialDims(context.input(0)->dims(), layout), SpatialDims(context.outputs[0].dims(), layout));
  Dispatch(context, layout, kind, geometry, context.node.Int("count_include_pad", 0) != 0);
}

void ComputeGlobalPool(EvalContext& context, Layout layout, PoolKind kind) {
  if (context.outputs[0].NumElements() == 0) return;
  WindowGeometry geometry;
  // One window over everything: the axes need not be told apart.
  const int64_t size = NumElements(SpatialDims(context.input(0)->dims(), layout));
  geometry.axes[2] = {.in = size, .out = 1, .kernel = size, .stride = 1, .dilation = 1, .pad_begin = 0, .pad_end = 0};
  Dispatch(context, layout, kind, geometry, false);
}

namespace {

// Checks the input's dtype and gives the output's.
DType FloatPoolDType(const Operands& operands, Layout layout, NodeProblems* problems) {
  if (layout == Layout::kChannelsLast) {
    CheckTamisFloat(operands, 0, problems);
    return TamisOutputDType(operands, problems);
  }
  operands.CheckFloat(0, problems);
  return operands.dtype(0);
}

}  // namespace

Result<std::vector<Type>> FloatPoolRule(const Operands& operands, Layout layout) {
  NodeProblems problems;
  const DType y = FloatPoolDType(operands, layout, &problems);
  return PoolType(operands, layout, y, std::move(problems));
}

Result<std::vector<Type>> FloatGlobalPoolRule(const Operands& operands, Layout layout) {
  NodeProblems problems;
  const DType y = FloatPoolDType(operands, layout, &problems);
  return GlobalPoolType(operands, layout, y, std::move(problems));
}

void ComputeMaxIndices(EvalContext& context) {
  const Tensor& x = *context.input(0);
  const auto values = ReadDoubles(x);
  NodeProblems problems;
  const SlidingWindow window =
      ReadWindow(context.node, context.node.Ints("kernel_shape"), WindowAttributes::kOnnx, &problems);
  const std::span<const int64_t> in = x.dims(), out = context.outputs[0].dims();
  const WindowGeometry geometry = GeometryOf(window, in.subspan(2), out.subspan(2));
  const bool column_major = context.node.Int("storage_order", 0) != 0;
  const int64_t depth = geometry.axes[0].in, height = geometry.axes[1].in, width = geometry.axes[2].in;
  // Column-major positions count the first spatial axis fastest.
  const auto position_of = [&](int64_t at) {
    if (!column_major) return at;
    return at / (height * width) + (at / width % height + at % width * height) * depth;
  };
  int64_t* indices = context.outputs[1].Data<int64_t>();
  for (int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
    const double* from = values.data() + plane * geometry.InputSize();
    ForEachWindow(geometry, [&](int64_t position, std::span<const Tap> taps) {
      int64_t best = -1;
      for (const Tap& tap : taps) {
        if (best < 0 || from[tap.input] > from[best] || (std::isnan(from[tap.input]) && !std::isnan(from[best]))) {
          best = tap.input;
        }
      }
      indices[plane * geometry.OutputSize() + position] =
          best < 0 ? -1 : plane * geometry.InputSize() + position_of(best);
    });
  }
}

Result<std::vector<Type>> LpPoolRule(const Operands& operands, bool global) {
  NodeProblems problems;
  const int64_t p = operands.node().Int("p", 2);
  if (p < 1) problems.Add("attribute 'p' is {} but must be positive", p);
  operands.CheckFloat(0, &problems);
  const DType dtype = operands.dtype(0);
  return global ? GlobalPoolType(operands, Layout::kChannelsFirst, dtype, std::move(problems))
                : PoolType(operands, Layout::kChannelsFirst, dtype, std::move(problems));
}

}  // namespace tamis
