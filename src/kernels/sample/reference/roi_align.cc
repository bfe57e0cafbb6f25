// RoiAlign of f32 maps by averages. The samples of a bin are found once and serve all channels.
#include <algorithm>
#include <cmath>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

// Items are regions.
struct Args {
  IndexList items;
  int64_t images = 0, channels = 0, height = 0, width = 0, out_height = 0, out_width = 0, ratio = 0;
  float scale = 1, offset = 0;
  bool half_pixel = true;
};

struct Axis {
  double start = 0, bin = 0, count = 0, step = 0;
  Axis(const Args& args, float low, float high, int64_t bins) {
    start = static_cast<double>(low) * static_cast<double>(args.scale) - static_cast<double>(args.offset);
    double size =
        static_cast<double>(high) * static_cast<double>(args.scale) - static_cast<double>(args.offset) - start;
    if (!args.half_pixel) size = std::max(size, 1.0);
    bin = size / static_cast<double>(bins);
    count = args.ratio > 0 ? static_cast<double>(args.ratio) : std::max(std::ceil(bin), 0.0);
    step = count > 0 ? bin / count : 0;
  }
};

// The weights of all samples of a bin along one axis, gathered by the elements of the map that they touch: the average
// of bilinear samples on a lattice is the product of two such sums.
struct Weights {
  int64_t first = 0, behind = 0;
};
Weights Gather(const Axis& axis, int64_t index, int64_t size, float* weights) {
  Weights range{size, 0};
  const auto limit = static_cast<double>(size);
  const double begin = axis.start + static_cast<double>(index) * axis.bin;
  std::fill_n(weights, size, 0.0f);
  double sample = 0;
  if (axis.step > 0) sample = std::max(0.0, std::floor((-1 - begin) / axis.step - 0.5));
  for (; sample < axis.count; ++sample) {
    double at = begin + (sample + 0.5) * axis.step;
    if (at > limit && axis.step > 0) break;
    if (at < -1 || at > limit) continue;
    at = std::max(at, 0.0);
    auto low = static_cast<int64_t>(at);
    float high_weight = static_cast<float>(at - static_cast<double>(low));
    if (low >= size - 1) {
      low = size - 1;
      high_weight = 0;
    }
    weights[low] += 1 - high_weight;
    if (high_weight > 0) weights[low + 1] += high_weight;
    range.first = std::min(range.first, low);
    range.behind = std::max(range.behind, low + (high_weight > 0 ? 2 : 1));
  }
  return range;
}

void Regions(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
             std::byte* scratch) {
  auto* row_weights = reinterpret_cast<float*>(scratch);
  float* column_weights = row_weights + args.height;
  const int64_t plane = args.height * args.width;
  for (int64_t region = begin; region < end; ++region) {
    const float* roi = static_cast<const float*>(inputs[1]) + region * 4;
    float* y = static_cast<float*>(outputs[0]) + region * args.channels * args.out_height * args.out_width;
    if (!(std::isfinite(roi[0]) && std::isfinite(roi[1]) && std::isfinite(roi[2]) && std::isfinite(roi[3]))) {
      std::fill_n(y, args.channels * args.out_height * args.out_width, 0.0f);
      continue;
    }
    const float* x = static_cast<const float*>(inputs[0]) + args.items.At(inputs[2], region) * args.channels * plane;
    const Axis down(args, roi[1], roi[3], args.out_height), across(args, roi[0], roi[2], args.out_width);
    const auto inverse = static_cast<float>(1 / std::max(down.count * across.count, 1.0));
    for (int64_t i = 0; i < args.out_height; ++i) {
      const Weights rows = Gather(down, i, args.height, row_weights);
      for (int64_t j = 0; j < args.out_width; ++j) {
        const Weights columns = Gather(across, j, args.width, column_weights);
        for (int64_t c = 0; c < args.channels; ++c) {
          float sum = 0;
          for (int64_t h = rows.first; h < rows.behind; ++h) {
            const float* from = x + c * plane + h * args.width;
            float line = 0;
            for (int64_t w = columns.first; w < columns.behind; ++w) line += column_weights[w] * from[w];
            sum += row_weights[h] * line;
          }
          y[(c * args.out_height + i) * args.out_width + j] = sum * inverse;
        }
      }
    }
  }
}

class RoiAlign : public RangeKernel<Args> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    for (int64_t i = 0; i < args().items.count; ++i) {
      const int64_t item = args().items.At(inputs[2], i);
      if (item < 0 || item >= args().images) {
        return UserError("RoiAlign: batch index {} is outside [0, {})", item, args().images);
      }
    }
    return {};
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i : {0, 1}) {
    if (problem.input(i).dtype != DType::kFloat32) return UserError("input {} is not float32", i);
  }
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(2), "input 2 (batch_indices)"));
  if (!problem.node->Has(
          "coordinate_transformation_mode")) {  // the default depends on the opset, which is not seen here
    return UserError("without attribute coordinate_transformation_mode it is not supported");
  }
  if (problem.node->String("mode", "avg") != "avg") return UserError("mode max is not supported");
  const Dims& x = problem.input(0).dims;
  if (x.size() != 4 || x[2] * x[3] == 0) return UserError("{} is not [N, C, H, W]", ToString(x));
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &x = problem.input(0).dims, &y = problem.outputs[0].dims;
  Args args;
  args.items = MakeIndexList(problem.input(2));
  args.images = x[0];
  args.channels = x[1];
  args.height = x[2];
  args.width = x[3];
  args.out_height = y[2];
  args.out_width = y[3];
  args.ratio = problem.node->Int("sampling_ratio", 0);
  args.scale = problem.node->Float("spatial_scale", 1);
  args.half_pixel = problem.node->String("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  args.offset = args.half_pixel ? 0.5f : 0.0f;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RoiAlign>(
      args, Regions, y[0], 1, problem.threads, static_cast<size_t>(args.height + args.width) * sizeof(float)));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 32.0 * static_cast<double>(Elements(problem.outputs[0])));
}

}  // namespace

extern const KernelDef kernel_roi_align = {
    .name = "roi_align",
    .family = "sample",
    .ops = {"RoiAlign"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
