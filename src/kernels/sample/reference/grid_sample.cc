// GridSample of f32 images [N, C, H, W] and volumes [N, C, D, H, W]. The taps of a row of output pixels are found once
// and serve all channels, each of which is then read and written by itself.
//
// Where images are sampled linearly, a pixel whose four taps lie inside reads two pairs of neighbours; the others of
// the row are put right afterwards.
#include <emmintrin.h>

#include <algorithm>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/op_grid_sample.h"

namespace tamis {
namespace {

// Items are rows of the output of one image.
struct Args {
  GridOptions options;
  int most_taps = 0;
  int64_t channels = 0, depth = 1, height = 0, width = 0, out_rows = 0, out_width = 0;
  int axes = 2;
};

struct Tap {
  int64_t offset;  // in a plane
  float weight;
};

// The taps of the pixel at `at`, which has the coordinate along the last axis first; returns how many there are.
int TapsAt(const Args& args, const float* at, Tap* taps) {
  const auto along = [&](int axis, int64_t length) {
    return GridTapsAt(args.options, static_cast<double>(at[axis]), length);
  };
  const GridTaps columns = along(0, args.width), rows = along(1, args.height);
  GridTaps planes;
  planes.weight[0] = 1;
  if (args.axes == 3) planes = along(2, args.depth);
  int count = 0;
  for (int p = 0; p < planes.count; ++p) {
    for (int r = 0; r < rows.count; ++r) {
      for (int c = 0; c < columns.count; ++c) {
        const double weight = planes.weight[p] * rows.weight[r] * columns.weight[c];
        if (planes.index[p] < 0 || rows.index[r] < 0 || columns.index[c] < 0 || weight == 0) continue;
        taps[count++] = {(planes.index[p] * args.height + rows.index[r]) * args.width + columns.index[c],
                         static_cast<float>(weight)};
      }
    }
  }
  return count;
}

float Sum(const float* x, const Tap* taps, int count) {
  float sum = 0;
  for (int t = 0; t < count; ++t) sum += taps[t].weight * x[taps[t].offset];
  return sum;
}

void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  const int64_t plane = args.depth * args.height * args.width, out_plane = args.out_rows * args.out_width;
  auto* const taps = reinterpret_cast<Tap*>(scratch);
  auto* const counts = reinterpret_cast<int*>(taps + args.out_width * args.most_taps);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image = item / args.out_rows, row = item % args.out_rows;
    const float* grid = static_cast<const float*>(inputs[1]) + item * args.out_width * args.axes;
    for (int64_t i = 0; i < args.out_width; ++i) {
      counts[i] = TapsAt(args, grid + i * args.axes, taps + i * args.most_taps);
    }
    const float* x = static_cast<const float*>(inputs[0]) + image * args.channels * plane;
    float* y = static_cast<float*>(outputs[0]) + image * args.channels * out_plane + row * args.out_width;
    for (int64_t c = 0; c < args.channels; ++c, x += plane, y += out_plane) {
      for (int64_t i = 0; i < args.out_width; ++i) y[i] = Sum(x, taps + i * args.most_taps, counts[i]);
    }
  }
}

constexpr int kLinearTaps = 4;  // of an image

// A pixel that isn't inside, with taps as TapsAt finds them.
struct Outsider {
  int64_t at;
  int count;
  Tap taps[kLinearTaps];
};

// A row of output pixels: the offset of each one's upper left tap, the weights of its upper and its lower pair.
struct PairRow {
  PairRow(std::byte* scratch, int64_t width) {
    upper = reinterpret_cast<float*>(scratch);
    lower = upper + 2 * Padded(width);
    outsiders = reinterpret_cast<Outsider*>(lower + 2 * Padded(width));
    offsets = reinterpret_cast<int32_t*>(outsiders + width);
  }
  // Whole vectors of four pixels.
  static int64_t Padded(int64_t width) { return (width + 3) / 4 * 4; }
  static size_t Bytes(int64_t width) {
    return static_cast<size_t>(Padded(width)) * (4 * sizeof(float) + sizeof(int32_t)) +
           static_cast<size_t>(width) * sizeof(Outsider);
  }

  float *upper, *lower;
  Outsider* outsiders;
  int32_t* offsets;
  int64_t outside = 0;
};

// The place along an axis of `length` elements as GridTapsAt has it; whether it lies between two of them.
bool IsInside(const GridOptions& options, double at, int64_t length, int64_t* first, float* second_weight) {
  const auto size = static_cast<double>(length);
  const double x = options.align_corners ? (at + 1) / 2 * (size - 1) : ((at + 1) * size - 1) / 2;
  if (!(x >= 0 && x < size - 1)) return false;
  *first = static_cast<int64_t>(x);
  *second_weight = static_cast<float>(x - static_cast<double>(*first));
  return true;
}

void FindPairs(const Args& args, const float* grid, PairRow* row) {
  row->outside = 0;
  for (int64_t i = 0; i < PairRow::Padded(args.out_width); ++i) {
    const float* at = grid + 2 * i;
    int64_t column = 0, line = 0;
    float right = 0, down = 0;
    const bool exists = i < args.out_width;
    const bool inside = exists && IsInside(args.options, static_cast<double>(at[0]), args.width, &column, &right) &&
                        IsInside(args.options, static_cast<double>(at[1]), args.height, &line, &down);
    if (exists && !inside) {
      Outsider& outsider = row->outsiders[row->outside++];
      outsider.at = i;
      outsider.count = TapsAt(args, at, outsider.taps);
    }
    row->offsets[i] = inside ? static_cast<int32_t>(line * args.width + column) : 0;
    row->upper[2 * i] = (1 - down) * (1 - right);
    row->upper[2 * i + 1] = (1 - down) * right;
    row->lower[2 * i] = down * (1 - right);
    row->lower[2 * i + 1] = down * right;
  }
}

// Pixels i and i + 1 before the two halves of each are added.
__m128 TwoPixels(const float* x, int64_t width, const PairRow& row, int64_t i) {
  const float *first = x + row.offsets[i], *second = x + row.offsets[i + 1];
  const auto pairs = [](const float* a, const float* b) {
    const __m128 low = _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a)));
    return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(b));
  };
  return _mm_add_ps(_mm_mul_ps(pairs(first, second), _mm_loadu_ps(row.upper + 2 * i)),
                    _mm_mul_ps(pairs(first + width, second + width), _mm_loadu_ps(row.lower + 2 * i)));
}

void PairRows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
              std::byte* scratch) {
  const int64_t plane = args.height * args.width, out_plane = args.out_rows * args.out_width;
  PairRow pairs(scratch, args.out_width);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t image = item / args.out_rows, row = item % args.out_rows;
    FindPairs(args, static_cast<const float*>(inputs[1]) + item * args.out_width * 2, &pairs);
    const float* x = static_cast<const float*>(inputs[0]) + image * args.channels * plane;
    float* y = static_cast<float*>(outputs[0]) + image * args.channels * out_plane + row * args.out_width;
    for (int64_t c = 0; c < args.channels; ++c, x += plane, y += out_plane) {
      for (int64_t i = 0; i < args.out_width; i += 4) {
        const __m128 a = TwoPixels(x, args.width, pairs, i), b = TwoPixels(x, args.width, pairs, i + 2);
        const __m128 sum =
            _mm_add_ps(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)), _mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
        if (i + 4 <= args.out_width) {
          _mm_storeu_ps(y + i, sum);
          continue;
        }
        alignas(16) float last[4];
        _mm_store_ps(last, sum);
        std::copy(last, last + (args.out_width - i), y + i);
      }
      for (int64_t k = 0; k < pairs.outside; ++k) {
        const Outsider& outsider = pairs.outsiders[k];
        y[outsider.at] = Sum(x, outsider.taps, outsider.count);
      }
    }
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i : {0, 1}) {
    if (problem.input(i).dtype != DType::kFloat32) return UserError("input {} is not float32", i);
  }
  const Dims &x = problem.input(0).dims, &grid = problem.input(1).dims;
  if ((x.size() != 4 && x.size() != 5) || grid.size() != x.size()) {
    return UserError("{} does not have two or three spatial axes", ToString(x));
  }
  NodeProblems problems;
  ReadGridOptions(*problem.node, &problems);
  if (problems.status().ok() && x.size() == 5 && ReadGridOptions(*problem.node, &problems).mode == GridMode::kCubic) {
    return UserError("volumes are not sampled by cubics");
  }
  return problems.status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &x = problem.input(0).dims, &grid = problem.input(1).dims;
  NodeProblems problems;
  const size_t last = x.size() - 1;
  Args args;
  args.options = ReadGridOptions(*problem.node, &problems);
  args.axes = static_cast<int>(last) - 1;
  const int each = args.options.mode == GridMode::kNearest ? 1 : args.options.mode == GridMode::kCubic ? 4 : 2;
  args.most_taps = args.axes == 3 ? each * each * each : each * each;
  args.channels = x[1];
  args.depth = args.axes == 3 ? x[2] : 1;
  args.height = x[last - 1];
  args.width = x[last];
  args.out_rows = Product(grid, 1, last - 1);
  args.out_width = grid[last - 1];
  const int64_t items = args.out_width == 0 ? 0 : grid[0] * args.out_rows;
  // Pixels that take no taps read the first four elements.
  const bool pairs = args.axes == 2 && args.options.mode == GridMode::kLinear && args.height >= 2 && args.width >= 2 &&
                     args.height * args.width <= INT32_MAX;
  const size_t bytes =
      pairs ? PairRow::Bytes(args.out_width)
            : static_cast<size_t>(args.out_width) * (static_cast<size_t>(args.most_taps) * sizeof(Tap) + sizeof(int));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, pairs ? PairRows : Rows, items,
                                          GrainFor(args.out_width * (args.channels * 4 + 60)), problem.threads, bytes));
}

double Cost(const Problem& problem) {
  return PredictSeconds(problem, Isa::kX86_64, 16.0 * static_cast<double>(Elements(problem.outputs[0])));
}

}  // namespace

extern const KernelDef kernel_grid_sample = {
    .name = "grid_sample",
    .family = "sample",
    .ops = {"GridSample"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
