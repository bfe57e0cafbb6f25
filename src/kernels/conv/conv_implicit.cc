#include "src/kernels/conv/conv_implicit.h"

#include <algorithm>

#include "src/kernels/conv/line_edges.h"
#include "src/kernels/gemm/shared_units.h"
#include "src/kernels/padded_image.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

// Whether the taps of a kernel row and their channels are one run of memory.
bool RowsAreRuns(const ConvShape& shape) {
  return shape.dilation[2] == 1;
}

// Elements of a tap.
int64_t TapElements(const ConvShape& shape) {
  return RowsAreRuns(shape) ? shape.kernel[2] * shape.channels : shape.channels;
}

PaddedImage ImageOf(const ConvShape& shape, int64_t element) {
  WindowGeometry geometry;
  geometry.axes = AxesOf(shape);
  return {shape.batch, geometry, shape.channels * element};
}

class ImplicitConv : public RowKernel {
 public:
  ImplicitConv(const ConvShape& shape, std::shared_ptr<const PackedPanels> weight, int threads, PanelRoutine routine)
      : gemm_(shape.AsGemm()),
        weight_(std::move(weight)),
        routine_(routine),
        element_(BitSize(shape.in_dtype) / 8),
        rows_are_runs_(RowsAreRuns(shape)),
        tap_elements_(TapElements(shape)),
        image_(ImageOf(shape, element_)),
        lines_(image_.axes),
        edges_(image_, rows_are_runs_, element_) {
    if (weight_->pattern() != Pattern::kDense)
      codes_bytes_ = static_cast<int64_t>(PanelScratchBytes(weight_->groups()));
    for (const int64_t bytes : image_.Taps(rows_are_runs_)) taps_.push_back(bytes / element_);
    const int64_t row_bytes = image_.RowPitch() * shape.stride[0] * shape.stride[1];  // of x, each pixel counted once
    grid_ = CutPanelGrid(gemm_.rows, weight_->panels(), row_bytes, threads, image_.RowUnit(threads),
                         routine_.by_tiles ? kTilePace : kVectorPace);
    shares_ = WorthSharing(gemm_.rows * gemm_.outputs * gemm_.depth, Parts());
    if (!image_.pads) return;
    // Rows at the edges would be tiles of their own, of one row or two.
    only_edges_ = grid_.panel_parts == 1 && !routine_.by_tiles && edges_.Pays(weight_->panels());
    if (only_edges_) {
      staged_bytes_ = edges_.PatchBytes();
      return;
    }
    // Where parts share out the panels, all of them read all of x, and it is laid out once for all.
    for (int64_t part = 0; part < (grid_.panel_parts == 1 ? grid_.row_parts : 1); ++part) {
      const PaddedImage::Span pixels = Pixels(part);
      staged_bytes_ = std::max(staged_bytes_, ((pixels.end - pixels.begin) * image_.pitch + 63) / 64 * 64);
    }
  }

  size_t WorkspaceBytes() const override {
    return UnitQueue::Bytes(Parts()) + static_cast<size_t>(StagedBytes() + codes_bytes_ * Parts());
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    UnitQueue* const queues = UnitQueue::MakeIn(workspace, Parts(), shares_);
    workspace += UnitQueue::Bytes(Parts());
    const bool together = image_.pads && grid_.panel_parts > 1;
    const bool by_part = image_.pads && !together && !only_edges_;
    if (together) {
      pool.ParallelFor(image_.Pixels(), 64,
                       [&](int64_t begin, int64_t end) { image_.LayOut(inputs[0], begin, end, 0, 0, workspace); });
    }
    const PanelRun run = {gemm_, *weight_, routine_, inputs, outputs[0], taps_};
    // Where the first pixel of x would be, as the units of a part read it.
    const auto x_of = [&](int64_t part) {
      if (together) return static_cast<const std::byte*>(workspace);
      if (!by_part) return static_cast<const std::byte*>(inputs[0]);
      return static_cast<const std::byte*>(workspace + staged_bytes_ * part - Pixels(part).begin * image_.pitch);
    };
    const auto part = [&](int index) {
      const PartSpan rows = RowsOf(grid_, gemm_.rows, index);
      std::byte* const own = workspace + staged_bytes_ * index;
      if (by_part && rows.begin < rows.end) {
        const PaddedImage::Span pixels = Pixels(index);
        image_.LayOut(inputs[0], pixels.begin, pixels.end, 0, 0, own - pixels.begin * image_.pitch);
      }
      TileState tiles;
      const Room room = {.patch = own, .codes = workspace + StagedBytes() + codes_bytes_ * index, .tiles = &tiles};
      const auto units_of = [this](int64_t of) { return UnitsOf(of); };
      RunUnits(queues, Parts(), index, units_of,
               [&](int64_t of, const PartUnits::Unit& unit) { RunUnit(run, x_of(of), unit, room); });
    };
    pool.Run(static_cast<int>(Parts()), [&part](int index) { part(index); });
  }

  int64_t RowUnit() const override { return lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t rows) const override {
    return static_cast<size_t>(RowStagedBytes(rows) + codes_bytes_);
  }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    const PanelRun run = {gemm_, *weight_, routine_, inputs, outputs[0], taps_};
    const auto* x = static_cast<const std::byte*>(inputs[0]);
    if (image_.pads && !only_edges_) {
      const PaddedImage::Span pixels = image_.PixelsOf(rows.begin, rows.end);
      std::byte* const to = scratch - pixels.begin * image_.pitch;
      image_.LayOut(inputs[0], pixels.begin, pixels.end, 0, 0, to);
      x = to;
    }
    TileState tiles;
    const Room room = {.patch = scratch, .codes = scratch + RowStagedBytes(rows.end - rows.begin), .tiles = &tiles};
    ForAllPanels({rows.begin, rows.end}, weight_->panels(), grid_.block_rows,
                 [&](const PartUnits::Unit& unit) { RunUnit(run, x, unit, room); });
  }

 private:
  // Of whoever runs units.
  struct Room {
    std::byte* patch;  // for the edges of x, where only these are laid out
    std::byte* codes;  // PanelTask::scratch
    TileState* tiles;
  };

  int64_t Parts() const { return grid_.row_parts * grid_.panel_parts; }
  PartUnits UnitsOf(int64_t part) const { return UnitsOfPart(grid_, gemm_.rows, weight_->panels(), part); }
  int64_t StagedBytes() const { return staged_bytes_ * (grid_.panel_parts == 1 ? grid_.row_parts : 1); }
  int64_t RowStagedBytes(int64_t rows) const {
    if (only_edges_) return staged_bytes_;
    return image_.pads ? (image_.MostPixels(rows) * image_.pitch + 63) / 64 * 64 : 0;
  }
  PaddedImage::Span Pixels(int64_t part) const {
    if (grid_.panel_parts > 1) return {0, image_.Pixels()};
    const PartSpan rows = RowsOf(grid_, gemm_.rows, part);
    return image_.PixelsOf(rows.begin, std::max(rows.end, rows.begin + 1));
  }

  // A panel over a block of rows, line by line. x is laid out, or there is room for its edges.
  void RunUnit(const PanelRun& run, const std::byte* x, const PartUnits::Unit& unit, const Room& room) const {
    const int64_t line_rows = image_.LineRows(), pitch = image_.RowPitch();
    const int64_t block = unit.rows.begin, block_end = unit.rows.end;
    PanelTask task = run.TaskOf(unit.panel, unit.has_next, pitch / element_);
    task.tap_groups = tap_elements_ / 4;
    task.tap_rest = tap_elements_ % 4;
    task.scratch = room.codes;
    task.tiles = room.tiles;
    task.panel_rows = block_end - block;
    const int64_t lines_ahead = task.ahead_lines, code_lines_ahead = task.ahead_code_lines;
    const std::byte *const ahead = task.ahead, *const codes_ahead = task.ahead_codes;
    for (int64_t row = block; row < block_end; row += task.rows) {
      const int64_t line = row / line_rows, at = row % line_rows;
      task.rows = std::min(line_rows - at, block_end - row);
      task.line_rows = 0;
      const std::byte* from = x + image_.LineStart(line) + at * pitch;
      task.taps = taps_;
      if (only_edges_) from = AtEdges(x, line, at, room.patch, &task);
      const PaddedImage::TapSpan met = image_.TapsInImage(line, rows_are_runs_);
      if (const int64_t most = (block_end - row) / line_rows; routine_.by_tiles && at == 0 && most > 1) {
        const PaddedImage::LineRun run = image_.LinesFrom(line, rows_are_runs_, most);
        task.rows = run.lines * line_rows;
        task.line_rows = line_rows;
        task.line_pitch = run.pitch / element_;
      }
      task.skipped_taps = met.first;
      task.taps = task.taps.subspan(static_cast<size_t>(met.first), static_cast<size_t>(met.last - met.first));
      const auto share = [&](int64_t of, int64_t until) { return of * (until - block) / (block_end - block); };
      task.ahead = ahead + share(lines_ahead, row) * 64;
      task.ahead_lines = share(lines_ahead, row + task.rows) - share(lines_ahead, row);
      task.ahead_codes = codes_ahead + share(code_lines_ahead, row) * 64;
      task.ahead_code_lines = share(code_lines_ahead, row + task.rows) - share(code_lines_ahead, row);
      run.Call(task, from, row, unit.panel);
      task.scratch_filled = true;
    }
  }

  // As many of the task's rows as are read alike, from result `at` of the line on.
  const std::byte* AtEdges(const std::byte* x, int64_t line, int64_t at, std::byte* patch, PanelTask* task) const {
    const LineEdges::Stretch stretch = edges_.From(line, at);
    task->rows = std::min(task->rows, stretch.end - at);
    task->taps = stretch.in_place ? edges_.taps() : edges_.patch_taps();
    if (stretch.in_place) return edges_.InPlace(x, line, at);
    edges_.LayOut(x, line, at, at + task->rows, patch);
    return patch;
  }

  GemmShape gemm_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelRoutine routine_;
  int64_t element_;  // bytes
  bool rows_are_runs_;
  int64_t tap_elements_;
  PaddedImage image_;
  WindowLines lines_;
  LineEdges edges_;
  bool only_edges_ = false;  // are laid out
  std::vector<int64_t> taps_;
  PanelGrid grid_;
  bool shares_ = false;       // parts take units from one another
  int64_t staged_bytes_ = 0;  // of a part, or of all
  int64_t codes_bytes_ = 0;   // of a part
};

}  // namespace

bool HasImplicitTaps(const ConvShape& shape, Taps taps) {
  return taps != Taps::kNone && shape.group == 1 && (taps == Taps::kAny || TapElements(shape) % 4 == 0);
}

std::unique_ptr<PreparedKernel> MakeImplicitConv(const ConvShape& shape, std::shared_ptr<const PackedPanels> weight,
                                                 int threads, PanelRoutine routine) {
  return std::make_unique<ImplicitConv>(shape, std::move(weight), threads, routine);
}

}  // namespace tamis
