// GridSample of f32 images [N, C, H, W] and volumes [N, C, D, H, W]. The taps of a row of output pixels are found once
// and serve all channels, each of which is then read and written by itself.
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
      for (int64_t i = 0; i < args.out_width; ++i) {
        const Tap* tap = taps + i * args.most_taps;
        float sum = 0;
        for (int t = 0; t < counts[i]; ++t) sum += tap[t].weight * x[tap[t].offset];
        y[i] = sum;
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
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<Args>>(
      args, Rows, items, GrainFor(args.out_width * (args.channels * 4 + 60)), problem.threads,
      static_cast<size_t>(args.out_width) * (static_cast<size_t>(args.most_taps) * sizeof(Tap) + sizeof(int))));
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
