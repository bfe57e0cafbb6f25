// RoiAlign of f32 maps. The samples of a bin are found once and serve all channels.
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
  bool half_pixel = true, maximum = false;
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

// A sample of one axis: two neighbours and the weight of the second.
struct Sample {
  int64_t low = 0, high = 0;
  float weight = 0;
};
constexpr int64_t kSamples = 32;

// Up to kSamples of a bin's samples that lie on the map, from number `*next` on, which moves on; 0 at the end.
int64_t NextSamples(const Axis& axis, int64_t index, int64_t size, double* next, Sample* samples) {
  const auto limit = static_cast<double>(size);
  const double begin = axis.start + static_cast<double>(index) * axis.bin;
  int64_t count = 0;
  for (; *next < axis.count && count < kSamples; ++*next) {
    double at = begin + (*next + 0.5) * axis.step;
    if (at > limit && axis.step > 0) {
      *next = axis.count;
      break;
    }
    if (at < -1 || at > limit) continue;
    at = std::max(at, 0.0);
    const auto low = static_cast<int64_t>(at);
    samples[count++] = low >= size - 1 ? Sample{size - 1, size - 1, 0}
                                       : Sample{low, low + 1, static_cast<float>(at - static_cast<double>(low))};
  }
  return count;
}
// The first sample of a bin that may lie on the map: regions may begin far outside.
double FirstSample(const Axis& axis, int64_t index) {
  const double begin = axis.start + static_cast<double>(index) * axis.bin;
  return axis.step > 0 ? std::max(0.0, std::floor((-1 - begin) / axis.step - 0.5)) : 0;
}

// The greatest of the weighted neighbours of a bin's samples, as ONNX defines it; 0 of those outside of the map.
void MaximaOfBin(const Args& args, const float* x, const Axis& down, const Axis& across, int64_t i, int64_t j,
                 float* y) {
  const int64_t plane = args.height * args.width, step = args.out_height * args.out_width;
  Sample rows[kSamples], columns[kSamples];
  for (int64_t c = 0; c < args.channels; ++c) y[c * step] = -HUGE_VALF;
  double met = 0;
  double next_row = FirstSample(down, i);
  while (const int64_t num_rows = NextSamples(down, i, args.height, &next_row, rows)) {
    double next_column = FirstSample(across, j);
    while (const int64_t num_columns = NextSamples(across, j, args.width, &next_column, columns)) {
      met += static_cast<double>(num_rows * num_columns);
      for (int64_t c = 0; c < args.channels; ++c) {
        float most = y[c * step];
        for (int64_t r = 0; r < num_rows; ++r) {
          const float *low = x + c * plane + rows[r].low * args.width,
                      *high = x + c * plane + rows[r].high * args.width;
          const float w = rows[r].weight;
          for (int64_t k = 0; k < num_columns; ++k) {
            const Sample& column = columns[k];
            most = std::max(most, (1 - w) * (1 - column.weight) * low[column.low]);
            most = std::max(most, (1 - w) * column.weight * low[column.high]);
            most = std::max(most, w * (1 - column.weight) * high[column.low]);
            most = std::max(most, w * column.weight * high[column.high]);
          }
        }
        y[c * step] = most;
      }
    }
  }
  const bool outside = met < std::max(down.count, 0.0) * std::max(across.count, 0.0);
  for (int64_t c = 0; c < args.channels; ++c) {
    if (met == 0 || (outside && y[c * step] < 0)) y[c * step] = 0;
  }
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
    for (int64_t bin = 0; args.maximum && bin < args.out_height * args.out_width; ++bin) {
      MaximaOfBin(args, x, down, across, bin / args.out_width, bin % args.out_width, y + bin);
    }
    for (int64_t i = 0; !args.maximum && i < args.out_height; ++i) {
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
  args.maximum = problem.node->String("mode", "avg") == "max";
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
