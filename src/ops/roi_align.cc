// RoiAlign: regions of x[N, C, H, W], each given by rois[R, 4] and the item batch_indices[R], sampled bilinearly and
// pooled to [R, C, output_height, output_width].
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

constexpr int64_t kMaxBins = 8192;
constexpr int64_t kMaxRatio = 1024;

bool HalfPixel(const Node& node, int64_t opset) {
  // Before opset 16 there was no attribute, and no shift of the input's coordinates.
  return node.String("coordinate_transformation_mode", opset < 16 ? "output_half_pixel" : "half_pixel") == "half_pixel";
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 3, 3));
  for (size_t i : {0, 1}) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kFloats));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 2, kIntegers));
  const Node& node = context.node();
  const std::string mode = node.String("mode", "avg");
  if (mode != "avg" && mode != "max")
    return context.Error(fmt::format("mode '{}' is not known; avg and max are", mode));
  const std::string coordinates = node.String("coordinate_transformation_mode", "half_pixel");
  if (coordinates != "half_pixel" && coordinates != "output_half_pixel") {
    return context.Error(
        fmt::format("coordinate_transformation_mode '{}' is not known; half_pixel and "
                    "output_half_pixel are",
                    coordinates));
  }
  const int64_t height = node.Int("output_height", 1), width = node.Int("output_width", 1);
  const int64_t ratio = node.Int("sampling_ratio", 0);
  if (height < 1 || width < 1 || height > kMaxBins || width > kMaxBins || ratio < 0 || ratio > kMaxRatio) {
    return context.Error(fmt::format("output_height and output_width must be in [1, {}], sampling_ratio in [0, {}]",
                                     kMaxBins, kMaxRatio));
  }
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  const Shape* rois = context.InputShape(1);
  const Shape* items = context.InputShape(2);
  if (x == nullptr || rois == nullptr || items == nullptr) return {};
  if (x->size() != 4 || rois->size() != 2 || !MayEqual((*rois)[1], Dim(4)) || items->size() != 1 ||
      !MayEqual((*rois)[0], (*items)[0])) {
    return context.Error(fmt::format("input {}, rois {} and batch_indices {} must be [N, C, H, W], [R, 4] and [R]",
                                     ToString(*x), ToString(*rois), ToString(*items)));
  }
  const Dim count = (*rois)[0].IsConstant() ? (*rois)[0] : (*items)[0];
  return SetShape(context, 0, context.InputDType(0), {count, (*x)[1], Dim(height), Dim(width)});
}

// Where one axis of a region is sampled: `count` places a bin, `step` apart.
struct Samples {
  double start = 0, bin = 0, count = 0, step = 0;

  Samples(double begin, double end, int64_t bins, int64_t ratio, bool half_pixel) : start(begin) {
    const double size = half_pixel ? end - begin : std::max(end - begin, 1.0);
    bin = size / static_cast<double>(bins);
    count = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin);
    step = bin / count;
  }
  double At(int64_t index, double sample) const {
    return start + static_cast<double>(index) * bin + (sample + 0.5) * step;
  }
};

struct Pixel {
  int64_t low = 0, high = 0;
  double weight = 0;
};
Pixel PixelAt(double at, int64_t size) {
  at = std::max(at, 0.0);
  const auto low = static_cast<int64_t>(at);
  if (low >= size - 1) return {size - 1, size - 1, 0};
  return {low, low + 1, at - static_cast<double>(low)};
}

// Samples of one bin that lie on the map. Regions may be far larger than it: those outside are skipped, not visited.
std::vector<Pixel> PixelsOf(const Samples& samples, int64_t index, int64_t size) {
  std::vector<Pixel> pixels;
  const auto limit = static_cast<double>(size);
  double first = 0;
  if (samples.step > 0) first = std::max(0.0, std::floor((-1 - samples.At(index, 0)) / samples.step));
  for (double sample = first; sample < samples.count; ++sample) {
    const double at = samples.At(index, sample);
    if (at > limit && samples.step > 0) break;
    if (at >= -1 && at <= limit) pixels.push_back(PixelAt(at, size));
  }
  return pixels;
}

double Pool(const double* plane, int64_t width, const std::vector<Pixel>& rows, const std::vector<Pixel>& columns,
            double count, bool maximum) {
  double sum = 0;
  double most = static_cast<double>(rows.size() * columns.size()) < count ? 0 : -HUGE_VAL;  // skipped ones give 0
  for (const Pixel& y : rows) {
    for (const Pixel& x : columns) {
      const double parts[] = {(1 - y.weight) * (1 - x.weight) * plane[y.low * width + x.low],
                              (1 - y.weight) * x.weight * plane[y.low * width + x.high],
                              y.weight * (1 - x.weight) * plane[y.high * width + x.low],
                              y.weight * x.weight * plane[y.high * width + x.high]};
      for (double part : parts) {
        sum += part;
        most = std::max(most, part);  // ONNX takes the greatest of the weighted neighbours, not of their sums
      }
    }
  }
  if (maximum) return std::isinf(most) && most < 0 ? 0 : most;
  return sum / std::max(count, 1.0);
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0)), rois = ReadDoubles(*context.input(1));
  const Dims& dims = context.input(0)->dims();
  const auto items = context.input(2)->ToInt64s();
  const Node& node = context.node;
  const double scale = static_cast<double>(node.Float("spatial_scale", 1));
  const bool half_pixel = HalfPixel(node, context.opset), maximum = node.String("mode", "avg") == "max";
  const int64_t ratio = node.Int("sampling_ratio", 0), channels = dims[1], plane = dims[2] * dims[3];
  Tensor& output = context.outputs[0];
  const int64_t height = output.dim(2), width = output.dim(3);
  std::vector<double> y(static_cast<size_t>(output.NumElements()));
  for (size_t r = 0; r < items.size(); ++r) {
    if (items[r] < 0 || items[r] >= dims[0]) {
      return context.Error(fmt::format("batch index {} is outside [0, {})", items[r], dims[0]));
    }
    const double* roi = rois.data() + r * 4;
    if (plane == 0 || !std::all_of(roi, roi + 4, [](double v) { return std::isfinite(v); })) continue;
    const double offset = half_pixel ? 0.5 : 0;
    const auto edge = [&](size_t i) { return roi[i] * scale - offset; };
    const Samples down(edge(1), edge(3), height, ratio, half_pixel), across(edge(0), edge(2), width, ratio, half_pixel);
    const double count = std::max(down.count, 0.0) * std::max(across.count, 0.0);
    std::vector<std::vector<Pixel>> columns;
    for (int64_t j = 0; j < width; ++j) columns.push_back(PixelsOf(across, j, dims[3]));
    for (int64_t i = 0; i < height; ++i) {
      const auto rows = PixelsOf(down, i, dims[2]);
      for (int64_t j = 0; j < width; ++j) {
        for (int64_t c = 0; c < channels; ++c) {
          const double* from = x.data() + (items[r] * channels + c) * plane;
          y[((r * static_cast<size_t>(channels) + static_cast<size_t>(c)) * static_cast<size_t>(height) +
             static_cast<size_t>(i)) *
                static_cast<size_t>(width) +
            static_cast<size_t>(j)] = Pool(from, dims[3], rows, columns[static_cast<size_t>(j)], count, maximum);
        }
      }
    }
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x0a11);
  const Tensor x = make.Floats({2, 3, 9, 8});
  const Tensor rois =
      Tensor::Of<float>(DType::kFloat32, {3, 4}, std::vector<float>{0, 0, 5, 5, 2.5f, 1, 7, 8.5f, -3, -2, 20, 12});
  const Tensor items = Tensor::Int64s(std::vector<int64_t>{0, 1, 1});
  const Attribute size = int64_t{3};
  const std::string old = "output_half_pixel", max = "max";
  return {
      {{x, rois, items}, {{"output_height", size}, {"output_width", size}, {"sampling_ratio", int64_t{2}}}},
      {{x, rois, items}, {{"output_height", size}, {"spatial_scale", 0.5f}, {"coordinate_transformation_mode", old}}},
      {{x, rois, items}, {{"output_width", size}, {"mode", max}}}};
}

}  // namespace

extern const OpDef op_roi_align = {
    .name = "RoiAlign", .domain = "", .since_opset = 10, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
