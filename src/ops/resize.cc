#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "src/ops/op_data.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

// How one axis is resized.
struct AxisPlan {
  Dim size;
  double scale = 1;
};

struct Options {
  bool linear = false;
  std::string coordinates;
  std::string rounding;
};

Result<Options> ReadOptions(const InferContext& context) {
  const Node& node = context.node();
  const bool old = context.opset() < 11;
  const auto one_of = [&](const char* key, const std::string& fallback,
                          std::initializer_list<const char*> known) -> Result<std::string> {
    const std::string value = node.String(key, fallback);
    std::string names;
    for (const char* name : known) {
      if (value == name) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return context.Error(fmt::format("{} '{}' is not supported; supported: {}", key, value, names));
  };
  Options options;
  TAMIS_ASSIGN_OR_RETURN(const std::string mode, one_of("mode", "nearest", {"nearest", "linear"}));
  options.linear = mode == "linear";
  TAMIS_ASSIGN_OR_RETURN(
      options.coordinates,
      one_of("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel",
             {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"}));
  TAMIS_ASSIGN_OR_RETURN(options.rounding, one_of("nearest_mode", old ? "floor" : "round_prefer_floor",
                                                  {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  TAMIS_RETURN_IF_ERROR(one_of("keep_aspect_ratio_policy", "stretch", {"stretch"}).status());
  if (node.Int("antialias", 0) != 0) return context.Error("antialias is not supported");
  return options;
}

// floor(size * scale) where it has a form.
std::optional<Dim> Scaled(const Dim& size, float scale) {
  if (const auto constant = size.Constant()) {
    const float scaled = std::floor(static_cast<float>(*constant) * scale);
    if (!(scaled <= static_cast<float>(kMaxElements))) return std::nullopt;
    return Dim(static_cast<int64_t>(scaled));
  }
  const float inverse = 1 / scale;
  if (scale == std::floor(scale) && scale < 1e6f) return size * Dim(static_cast<int64_t>(scale));
  if (inverse == std::floor(inverse) && inverse < 1e6f) return Dim::FloorDiv(size, Dim(static_cast<int64_t>(inverse)));
  return std::nullopt;
}

// Inputs: data, scales (opset 10); data, roi, scales, sizes from 11 on. nullopt where computed at run time.
Result<std::optional<std::vector<AxisPlan>>> ReadPlan(const InferContext& context, const Shape& shape) {
  using Plan = std::optional<std::vector<AxisPlan>>;
  const size_t scales_input = context.opset() < 11 ? 1 : 2;
  const auto given = [&](size_t i) {
    if (!context.HasInput(i)) return false;
    const Shape* dims = context.InputShape(i);
    return dims == nullptr || dims->size() != 1 || !((*dims)[0] == Dim(0));  // an empty tensor counts as omitted
  };
  std::vector<int64_t> axes = context.node().Ints("axes");
  if (!context.node().Has("axes")) {
    for (size_t axis = 0; axis < shape.size(); ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto at, ResolvedAxes(context, axes, static_cast<int64_t>(shape.size())));
  std::vector<AxisPlan> plan;
  for (const Dim& dim : shape) plan.push_back({dim, 1});
  const auto check_count = [&](size_t count) {
    return count == at.size() ? Status()
                              : context.Error(fmt::format("{} numbers are given for {} axes", count, at.size()));
  };
  if (given(scales_input)) {
    TAMIS_RETURN_IF_ERROR(CheckDType(context, scales_input, kFloats));
    const Tensor* scales = context.InputConstant(scales_input);
    if (scales == nullptr) return Plan();
    const Tensor values = scales->ToFloat32();
    TAMIS_RETURN_IF_ERROR(check_count(static_cast<size_t>(values.NumElements())));
    for (size_t i = 0; i < at.size(); ++i) {
      const float scale = values.Data<float>()[i];
      if (!(scale > 0) || !std::isfinite(scale))
        return context.Error(fmt::format("a scale of {} is not possible", scale));
      AxisPlan& axis = plan[static_cast<size_t>(at[i])];
      const auto size = Scaled(axis.size, scale);
      if (!size && axis.size.IsConstant()) return context.Error(fmt::format("a scale of {} is too large", scale));
      if (!size) return Plan();
      axis = {*size, scale};
    }
    return Plan(std::move(plan));
  }
  if (context.opset() < 11 || !given(3)) return context.Error("neither scales nor sizes are given");
  TAMIS_ASSIGN_OR_RETURN(const IntList sizes, ReadInts(context, 3, ""));
  if (!sizes.known) return Plan();
  TAMIS_RETURN_IF_ERROR(check_count(sizes.values.size()));
  for (size_t i = 0; i < at.size(); ++i) {
    AxisPlan& axis = plan[static_cast<size_t>(at[i])];
    const auto from = axis.size.Constant();
    const auto to = sizes.values[i].Constant();
    axis = {sizes.values[i], from && to && *from > 0 ? static_cast<double>(*to) / static_cast<double>(*from) : 1.0};
  }
  return Plan(std::move(plan));
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 4));
  TAMIS_ASSIGN_OR_RETURN(const Options options, ReadOptions(context));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, options.linear ? kNumbers : kNumbers | kBools));
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return {};
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(context, *shape));
  if (!plan) return {};
  Shape result;
  for (size_t i = 0; i < shape->size(); ++i) {
    result.push_back((*plan)[i].size);
    if ((*shape)[i] == Dim(0) && !(result[i] == Dim(0))) return context.Error("an empty axis can't be resized");
  }
  return SetShape(context, 0, context.InputDType(0), std::move(result));
}

// The place in the input, in elements, that output element `i` of an axis is taken from.
double Coordinate(int64_t i, int64_t in, int64_t out, double scale, const std::string& mode) {
  const auto x = static_cast<double>(i);
  if (mode == "asymmetric") return x / scale;
  // The corners of the output that is written: with a fractional scale ONNX's own reference takes scale * in for its
  // length, which puts the last element short of the corner; PyTorch and ONNX Runtime do as here.
  if (mode == "align_corners") return out == 1 ? 0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
  if (mode == "pytorch_half_pixel" && out == 1) return 0;
  const double centre = (x + 0.5) / scale - 0.5;
  if (mode != "half_pixel_symmetric") return centre;
  const double exact = scale * static_cast<double>(in);
  return static_cast<double>(in) / 2 * (1 - static_cast<double>(out) / exact) + centre;
}

int64_t Nearest(double x, int64_t in, const std::string& mode) {
  const double rounded = mode == "floor"               ? std::floor(x)
                         : mode == "ceil"              ? std::ceil(x)
                         : mode == "round_prefer_ceil" ? std::floor(x + 0.5)
                                                       : std::ceil(x - 0.5);
  return static_cast<int64_t>(std::clamp(rounded, 0.0, static_cast<double>(in - 1)));
}

// One element of an axis as a mixture of two: (1 - weight) * low + weight * high.
struct Tap {
  int64_t low = 0;
  int64_t high = 0;
  double weight = 0;
};

std::vector<Tap> TapsOf(int64_t in, int64_t out, double scale, const Options& options) {
  std::vector<Tap> taps(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    const double x =
        in == out && scale == 1 ? static_cast<double>(i) : Coordinate(i, in, out, scale, options.coordinates);
    Tap& tap = taps[static_cast<size_t>(i)];
    if (options.linear) {
      const double inside = std::clamp(x, 0.0, static_cast<double>(in - 1));
      tap.low = static_cast<int64_t>(inside);
      tap.high = std::min(tap.low + 1, in - 1);
      tap.weight = inside - static_cast<double>(tap.low);
    } else {
      tap.low = tap.high = Nearest(x, in, options.rounding);
    }
  }
  return taps;
}

// The mixture over all axes from `axis` on; axes that are taken from one element cost nothing.
double Mix(const WideReader& data, const std::vector<Tap>& taps, const std::vector<int64_t>& strides, size_t axis,
           int64_t at) {
  for (; axis < taps.size() && taps[axis].weight == 0; ++axis) at += taps[axis].low * strides[axis];
  if (axis == taps.size()) {
    double value = 0;
    data.Read<double>(at, std::span(&value, 1));
    return value;
  }
  const Tap& tap = taps[axis];
  return (1 - tap.weight) * Mix(data, taps, strides, axis + 1, at + tap.low * strides[axis]) +
         tap.weight * Mix(data, taps, strides, axis + 1, at + tap.high * strides[axis]);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Tensor& data = *context.input(0);
  Tensor& output = context.outputs[0];
  if (output.NumElements() == 0) return {};
  TAMIS_ASSIGN_OR_RETURN(const Options options, ReadOptions(*bound->infer));
  TAMIS_ASSIGN_OR_RETURN(const auto plan, ReadPlan(*bound->infer, ToShape(data.dims())));
  const size_t rank = data.dims().size();
  std::vector<std::vector<Tap>> table;
  for (size_t axis = 0; axis < rank; ++axis) {
    table.push_back(TapsOf(data.dims()[axis], output.dims()[axis], (*plan)[axis].scale, options));
  }
  const auto strides = RowMajorStrides(data.dims());
  const size_t element = ElementBytes(data);
  const WideReader reader(data, data.dims());
  std::vector<Tap> taps(rank);
  for (int64_t i = 0; i < output.NumElements(); ++i) {
    int64_t rest = i;
    int64_t from = 0;
    for (size_t axis = rank; axis-- > 0; rest /= output.dims()[axis]) {
      taps[axis] = table[axis][static_cast<size_t>(rest % output.dims()[axis])];
      from += taps[axis].low * strides[axis];
    }
    if (options.linear) {
      const double value = Mix(reader, taps, strides, 0, 0);
      WriteWide<double>(output, i, std::span<const double>(&value, 1));
    } else {
      std::memcpy(output.raw() + static_cast<size_t>(i) * element, data.raw() + static_cast<size_t>(from) * element,
                  element);
    }
  }
  return {};
}

std::vector<OpTestCase> Cases() {
  const Tensor data = SampleFloats(1, {1, 2, 4, 5});
  const Tensor scales = Tensor::Of<float>(DType::kFloat32, {4}, std::array<float, 4>{1, 1, 2, 0.6f});
  const Tensor sizes = Tensor::Int64s(std::array<int64_t, 4>{1, 2, 3, 8});
  const std::string linear = "linear";
  return {{{data, Tensor(), scales}, {}}, {{data, Tensor(), Tensor(), sizes}, {{"mode", linear}}}};
}

}  // namespace

extern const OpDef op_resize = {
    .name = "Resize", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
