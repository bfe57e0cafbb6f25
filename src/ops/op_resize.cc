#include "src/ops/op_resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

template <class E, size_t N>
E OneOf(const Node& node, const char* key, const char* fallback, const std::pair<const char*, E> (&known)[N],
        NodeProblems* problems) {
  const std::string value = node.String(key, fallback);
  std::string names;
  for (const auto& [name, option] : known) {
    if (value == name) return option;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  problems->Add("attribute '{}' is '{}' but must be one of {}", key, value, names);
  return known[0].second;
}

// The place in the input, in elements, that output element `i` is taken from. A fractional scale makes the output
// shorter than scale * in; align_corners and half_pixel_symmetric reckon with the length that was asked for.
double Coordinate(int64_t i, const ResizeAxis& axis, ResizeCoordinates coordinates) {
  const auto x = static_cast<double>(i);
  const auto in = static_cast<double>(axis.in);
  const double length = axis.scale * in;
  const double centre = (x + 0.5) / axis.scale - 0.5;
  switch (coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return centre;
    case ResizeCoordinates::kHalfPixelSymmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / length) + centre;
    case ResizeCoordinates::kPytorchHalfPixel:
      return axis.out == 1 ? 0 : centre;
    case ResizeCoordinates::kAlignCorners:
      return axis.out == 1 || length == 1 ? 0 : x * (in - 1) / (length - 1);
    case ResizeCoordinates::kAsymmetric:
      return x / axis.scale;
    case ResizeCoordinates::kCropAndResize:
      if (axis.out == 1) return (axis.roi_begin + axis.roi_end) * (in - 1) / 2;
      return axis.roi_begin * (in - 1) + x * (axis.roi_end - axis.roi_begin) * (in - 1) / (length - 1);
  }
  return x;
}

double Rounded(double x, double scale, ResizeRounding rounding) {
  switch (rounding) {
    case ResizeRounding::kPreferFloor:
      return std::ceil(x - 0.5);
    case ResizeRounding::kPreferCeil:
      return std::floor(x + 0.5);
    case ResizeRounding::kFloor:
      return std::floor(x);
    case ResizeRounding::kCeil:
      return std::ceil(x);
    case ResizeRounding::kFloorUpCeilDown:
      return scale < 1 ? std::ceil(x) : std::floor(x);
  }
  return x;
}

double Filter(const ResizeOptions& options, double x) {
  x = std::abs(x);
  if (options.mode == ResizeMode::kLinear) return std::max(0.0, 1 - x);
  const double a = options.cubic_a;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

int64_t Inside(double x, int64_t in) {
  return static_cast<int64_t>(std::clamp(x, 0.0, static_cast<double>(in - 1)));
}

// The weights of output i. The filter is stretched by 1 / scale where it must not skip elements.
void AddFiltered(const ResizeOptions& options, double x, double stretch, int64_t in, ResizeTaps* result) {
  // The taps are the nearest ones to x, which lies in (base, base + 1].
  const double base = std::ceil(x) - 1;
  const double support = options.mode == ResizeMode::kLinear ? 1 : 2;
  const double first = base + std::floor(-support / stretch) + 1;
  double sum = 0;
  const size_t begin = result->weight.size();
  for (int64_t t = 0; t < result->taps; ++t) {
    const double at = first + static_cast<double>(t);
    const bool skipped = options.exclude_outside && (at < 0 || at > static_cast<double>(in - 1));
    const double weight = skipped ? 0 : Filter(options, (at - x) * stretch);
    result->index.push_back(Inside(at, in));
    result->weight.push_back(weight);
    sum += weight;
  }
  if ((!options.exclude_outside && !options.antialias) || sum == 0) return;
  for (size_t t = begin; t < result->weight.size(); ++t) result->weight[t] /= sum;
}

// out[o, i, r] = sum_t weight[i, t] * in[o, index[i, t], r] along one axis.
std::vector<double> ResizeAlong(const std::vector<double>& from, const Dims& dims, size_t axis, int64_t out,
                                const ResizeTaps& taps, double extrapolation) {
  const int64_t outer = CountOf(dims, 0, axis), inner = CountOf(dims, axis + 1, dims.size()), in = dims[axis];
  std::vector<double> to(static_cast<size_t>(outer * out * inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < out; ++i) {
      double* row = to.data() + (o * out + i) * inner;
      if (!taps.outside.empty() && taps.outside[static_cast<size_t>(i)] != 0) {
        std::fill(row, row + inner, extrapolation);
        continue;
      }
      for (int64_t t = 0; t < taps.taps; ++t) {
        const auto at = static_cast<size_t>(i * taps.taps + t);
        const double weight = taps.weight[at];
        if (weight == 0) continue;
        const double* source = from.data() + (o * in + taps.index[at]) * inner;
        for (int64_t r = 0; r < inner; ++r) row[r] += weight * source[r];
      }
    }
  }
  return to;
}

// Integers are rounded to the nearest and saturate.
void WriteRounded(Tensor& output, std::vector<double> values) {
  if (IsInteger(output.dtype())) {
    const int bits = BitSize(output.dtype());
    const bool is_signed = WideOf(output.dtype()) == Wide::kInt64;
    const double high = std::ldexp(1, is_signed ? bits - 1 : bits), low = is_signed ? -high : 0;
    // The largest double below 2^64 or 2^63 where the limit itself is not one.
    const double most = bits == 64 ? std::nextafter(high, 0) : high - 1;
    for (double& value : values) value = std::clamp(std::nearbyint(value), low, most);
  }
  WriteDoubles(output, values);
}

// Nearest elements are copied, whatever they are.
void CopyNearest(EvalContext& context, const ResizeOptions& options, const std::vector<ResizeAxis>& axes) {
  const Tensor& data = *context.input(0);
  Tensor& output = context.outputs[0];
  const auto strides = RowMajorStrides(data.dims());
  std::vector<ResizeTaps> taps;
  for (const ResizeAxis& axis : axes) taps.push_back(TapsOf(options, axis));
  Tensor filler(data.dtype(), {});
  const auto extrapolation = static_cast<double>(options.extrapolation);
  if (options.coordinates == ResizeCoordinates::kCropAndResize) WriteDoubles(filler, {extrapolation});
  const size_t element = ElementBytes(data);
  for (int64_t i = 0; i < output.NumElements(); ++i) {
    int64_t rest = i, from = 0;
    bool outside = false;
    for (size_t axis = axes.size(); axis-- > 0; rest /= output.dims()[axis]) {
      const auto at = static_cast<size_t>(rest % output.dims()[axis]);
      from += taps[axis].index[at] * strides[axis];
      outside |= !taps[axis].outside.empty() && taps[axis].outside[at] != 0;
    }
    const std::byte* source = outside ? filler.raw() : data.raw() + static_cast<size_t>(from) * element;
    std::memcpy(output.raw() + static_cast<size_t>(i) * element, source, element);
  }
}

}  // namespace

ResizeOptions ReadResizeOptions(const Node& node, bool old, NodeProblems* problems) {
  ResizeOptions options;
  using enum ResizeCoordinates;
  options.mode = OneOf<ResizeMode>(node, "mode", "nearest",
                                   {{"nearest", ResizeMode::kNearest},
                                    {"linear", ResizeMode::kLinear},
                                    {"bilinear", ResizeMode::kLinear},
                                    {"cubic", ResizeMode::kCubic}},
                                   problems);
  if (old) {
    options.coordinates = kAsymmetric;
    options.rounding = ResizeRounding::kFloorUpCeilDown;
    return options;
  }
  options.coordinates = OneOf<ResizeCoordinates>(node, "coordinate_transformation_mode", "half_pixel",
                                                 {{"half_pixel", kHalfPixel},
                                                  {"half_pixel_symmetric", kHalfPixelSymmetric},
                                                  {"pytorch_half_pixel", kPytorchHalfPixel},
                                                  {"align_corners", kAlignCorners},
                                                  {"asymmetric", kAsymmetric},
                                                  {"tf_crop_and_resize", kCropAndResize}},
                                                 problems);
  options.rounding = OneOf<ResizeRounding>(node, "nearest_mode", "round_prefer_floor",
                                           {{"round_prefer_floor", ResizeRounding::kPreferFloor},
                                            {"round_prefer_ceil", ResizeRounding::kPreferCeil},
                                            {"floor", ResizeRounding::kFloor},
                                            {"ceil", ResizeRounding::kCeil}},
                                           problems);
  options.policy = OneOf<ResizePolicy>(node, "keep_aspect_ratio_policy", "stretch",
                                       {{"stretch", ResizePolicy::kStretch},
                                        {"not_larger", ResizePolicy::kNotLarger},
                                        {"not_smaller", ResizePolicy::kNotSmaller}},
                                       problems);
  options.antialias = node.Int("antialias", 0) != 0;
  if (options.antialias && options.mode == ResizeMode::kNearest) {
    problems->Add("attribute 'antialias' has no meaning in mode nearest; linear and cubic have it");
  }
  options.exclude_outside = node.Int("exclude_outside", 0) != 0;
  options.cubic_a = node.Float("cubic_coeff_a", -0.75f);
  options.extrapolation = node.Float("extrapolation_value", 0);
  return options;
}

ResizeTaps TapsOf(const ResizeOptions& options, const ResizeAxis& axis) {
  ResizeTaps result;
  const bool nearest = options.mode == ResizeMode::kNearest;
  const double stretch = options.antialias ? std::min(axis.scale, 1.0) : 1.0;
  if (axis.Identity(options)) {
    for (int64_t i = 0; i < axis.out; ++i) result.index.push_back(i);
    result.weight.assign(static_cast<size_t>(axis.out), 1.0);
    return result;
  }
  if (!nearest) {
    const double support = options.mode == ResizeMode::kLinear ? 1 : 2;
    result.taps = 2 - 2 * (static_cast<int64_t>(std::floor(-support / stretch)) + 1);
  }
  for (int64_t i = 0; i < axis.out; ++i) {
    const double x = Coordinate(i, axis, options.coordinates);
    if (options.coordinates == ResizeCoordinates::kCropAndResize) {
      result.outside.push_back(!(x >= 0 && x <= static_cast<double>(axis.in - 1)));
    }
    if (nearest) {
      result.index.push_back(Inside(Rounded(x, axis.scale, options.rounding), axis.in));
      result.weight.push_back(1);
    } else {
      AddFiltered(options, x, stretch, axis.in, &result);
    }
  }
  return result;
}

void ComputeResize(EvalContext& context, const ResizeOptions& options, const std::vector<ResizeAxis>& axes) {
  const Tensor& data = *context.input(0);
  if (context.outputs[0].NumElements() == 0) return;
  if (options.mode == ResizeMode::kNearest) return CopyNearest(context, options, axes);
  std::vector<double> values = ReadDoubles(data);
  Dims dims = data.dims();
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    if (axes[axis].Identity(options)) continue;
    values = ResizeAlong(values, dims, axis, axes[axis].out, TapsOf(options, axes[axis]),
                         static_cast<double>(options.extrapolation));
    dims[axis] = axes[axis].out;
  }
  WriteRounded(context.outputs[0], std::move(values));
}

std::optional<Dim> ScaledSize(const Dim& size, float scale) {
  if (const auto constant = size.Constant()) {
    const float scaled = std::floor(static_cast<float>(*constant) * scale);
    if (!(scaled <= static_cast<float>(kMaxElements))) return std::nullopt;
    return Dim(static_cast<int64_t>(scaled));
  }
  // Scales with few bits behind the point are exact; 1 / n is what was meant by its nearest float.
  for (int64_t denominator = 1; denominator <= 1024; denominator *= 2) {
    const float numerator = scale * static_cast<float>(denominator);
    if (numerator != std::floor(numerator) || numerator >= 1e6f) continue;
    return Dim::FloorDiv(size * Dim(static_cast<int64_t>(numerator)), Dim(denominator));
  }
  const float inverse = std::round(1 / scale);
  if (inverse < 1e6f && 1 / inverse == scale) return Dim::FloorDiv(size, Dim(static_cast<int64_t>(inverse)));
  return std::nullopt;
}

Status ScaleAxes(const InferContext& context, const Shape& shape, const Tensor& scales, const std::vector<int64_t>& at,
                 std::vector<ResizePlan>* plan) {
  const Tensor values = scales.ToFloat32();
  if (values.NumElements() != static_cast<int64_t>(at.size())) {
    return context.Error(fmt::format("{} scales are given for {} axes", values.NumElements(), at.size()));
  }
  for (size_t i = 0; i < at.size(); ++i) {
    const auto axis = static_cast<size_t>(at[i]);
    const float scale = values.Data<float>()[i];
    if (!(scale > 0) || !std::isfinite(scale))
      return context.Error(fmt::format("a scale of {} is not possible", scale));
    (*plan)[axis].size = ScaledSize(shape[axis], scale);
    (*plan)[axis].scale = static_cast<double>(scale);
    if (!(*plan)[axis].size && shape[axis].IsConstant()) {
      return context.Error(fmt::format("a scale of {} is too large", scale));
    }
  }
  return {};
}

Status SetResized(InferContext& context, const Shape& shape, const std::vector<ResizePlan>& plan) {
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    result.push_back(plan[i].size ? *plan[i].size : context.DataDim(0, i));
    if (shape[i] == Dim(0) && !(result[i] == Dim(0))) return context.Error("an empty axis can't be resized");
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

std::vector<ResizeAxis> ConcreteAxes(const std::vector<ResizePlan>& plan, const Dims& from, const Dims& to) {
  std::vector<ResizeAxis> axes;
  for (size_t i = 0; i < plan.size(); ++i) {
    axes.push_back({from[i], to[i], plan[i].scale, plan[i].roi_begin, plan[i].roi_end});
  }
  return axes;
}

}  // namespace tamis
