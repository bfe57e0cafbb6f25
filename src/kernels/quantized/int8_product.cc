
#include <algorithm>
#include <cstring>

#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/gemm/shared_units.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/padded_image.h"
#include "src/kernels/quantize/dynamic_quantize.h"
#include "src/kernels/quantized/int8_panel.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

// A product over x as bytes in memory: output row r of line l starts at image_offset(l) + r * row_pitch, and the taps
// of all rows lie at the same distances from there. A matrix product is one line with one tap.
struct Int8Shape {
  QuantizedConvShape conv;
  bool dynamic = false, is_signed = false;
  PaddedImage image;
  bool staged = false;  // laid out anew in the workspace
  // The taps of a kernel row lie side by side, as their weights do: they are one tap with all of their channels. Fewer
  // steps are then filled up, and loops are longer.
  bool rows_as_taps = false;
};

Result<Int8Shape> ReadShape(const Problem& problem) {
  Int8Shape shape;
  if (problem.node->op == "QuantizedConv") {
    TAMIS_ASSIGN_OR_RETURN(shape.conv, ReadQuantizedConv(problem));
  } else {
    TAMIS_ASSIGN_OR_RETURN(const QuantizedShape linear, ReadQuantizedLinear(problem));
    shape.dynamic = linear.x == DType::kFloat32;
    shape.conv.batch = 1;
    shape.conv.channels = linear.depth;
    shape.conv.outputs = linear.outputs;
    shape.conv.geometry.axes[2].in = shape.conv.geometry.axes[2].out = linear.rows;
  }
  if (Elements(problem.outputs[0]) == 0) return UserError("an empty dimension");
  shape.is_signed = problem.input(0).dtype == DType::kInt8;
  return shape;
}

// Lays out what Run needs for a weight packed like this.
void PlanLayout(Int8Shape& shape, const PackedInt8& weight) {
  shape.image = PaddedImage(shape.conv.batch, shape.conv.geometry, shape.conv.channels);
  // A routine reads whole steps: the last row needs bytes behind it. And rows whose pitch is a large power of two would
  // share few cache sets.
  const bool overread = weight.geometry().channels % weight.inputs_per_step() != 0;
  const bool aliasing = shape.image.OneLine() && !shape.dynamic && shape.conv.channels % 4096 == 0 &&
                        weight.panels() > 4 && shape.image.LineRows() > 4;
  if (aliasing) shape.image.pitch += 64;
  shape.staged = shape.is_signed || shape.dynamic || shape.image.pads || overread || aliasing;
}

class Int8Product : public RowKernel {
 public:
  Int8Product(const Int8Shape& shape, const Problem& problem, std::shared_ptr<const PackedInt8> weight,
              const Int8Routine& routine)
      : shape_(shape),
        weight_(std::move(weight)),
        routine_(routine),
        result_(ResultOf(*problem.node, problem.input(4).dtype)),
        residual_element_(problem.input(4).Present() ? ByteSize(problem.input(4).dtype, 1) : 0),
        zero_(problem.node->Int("x_zero_point", 0) + (shape.is_signed ? 128 : 0)),
        threads_(std::max(problem.threads, 1)) {
    const auto& [d, h, w] = shape_.conv.geometry.axes;
    taps_ = shape_.image.Taps(shape_.rows_as_taps);
    const int64_t bytes_per_row = shape_.conv.channels * d.stride * h.stride * w.stride;
    grid_ = CutPanelGrid(Rows(), weight_->panels(), bytes_per_row, threads_, shape_.image.RowUnit(threads_),
                         routine_.by_tiles ? kTilePace : kVectorPace);
    // A byte is multiplied four times as fast as a float.
    shares_ = WorthSharing(Rows() * shape_.conv.outputs * static_cast<int64_t>(weight_->steps()), Parts());
    staged_bytes_ = shape_.staged ? Padded64(shape_.image.Pixels() * shape_.image.pitch + kSlack) : 0;
    // Parts of rows lay out what they read themselves, a few rows of x twice: it is then in the right core's cache, and
    // nobody waits. Else all parts read all of it.
    staged_by_part_ = shape_.staged && !shape_.dynamic && grid_.panel_parts == 1 && grid_.row_parts > 1;
    if (staged_by_part_) {
      size_t largest = 0;
      for (int part = 0; part < grid_.row_parts; ++part) {
        const PartSpan rows = RowsOf(grid_, Rows(), part);
        const PaddedImage::Span pixels = shape_.image.PixelsOf(rows.begin, rows.end);
        largest = std::max(largest, Padded64((pixels.end - pixels.begin) * shape_.image.pitch + kSlack));
      }
      part_bytes_ = largest;
      staged_bytes_ = largest * static_cast<size_t>(grid_.row_parts);
    }
    lines_ = WindowLines(shape_.image.axes);
    widened_bytes_ = routine_.widen != nullptr ? static_cast<size_t>(weight_->steps() * 64) : 0;
  }

  size_t WorkspaceBytes() const override {
    return UnitQueue::Bytes(Parts()) + staged_bytes_ + widened_bytes_ * static_cast<size_t>(Parts());
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    Call call = {inputs, outputs[0], static_cast<const uint8_t*>(inputs[0]), static_cast<int32_t>(zero_), 1};
    UnitQueue* const queues = UnitQueue::MakeIn(workspace, Parts(), shares_);
    std::byte* const behind = workspace + UnitQueue::Bytes(Parts());
    auto* staged = reinterpret_cast<uint8_t*>(behind);
    if (shape_.dynamic) {
      const DynamicScale scale = QuantizeDynamically(
          static_cast<const float*>(inputs[0]), shape_.conv.channels * shape_.conv.geometry.InputSize(), staged, pool);
      call.factor = scale.scale;
      call.zero = scale.zero;
    } else if (shape_.staged && !staged_by_part_) {
      pool.ParallelFor(shape_.image.Pixels(), 256,
                       [&](int64_t begin, int64_t end) { Stage(inputs[0], begin, end, staged); });
    }
    if (shape_.staged) call.x = staged;
    // Where the first pixel of all would be, of what a part lays out.
    const auto of_part = [&](int64_t part) {
      const PartSpan rows = RowsOf(grid_, Rows(), part);
      return staged + part_bytes_ * static_cast<size_t>(part) -
             shape_.image.PixelsOf(rows.begin, rows.end).begin * shape_.image.pitch;
    };
    const auto part = [&](int index) {
      std::byte* const widened = behind + staged_bytes_ + widened_bytes_ * static_cast<size_t>(index);
      const PartSpan rows = RowsOf(grid_, Rows(), index);
      if (staged_by_part_ && rows.begin < rows.end) {
        StageRows(inputs[0], rows, staged + part_bytes_ * static_cast<size_t>(index));
      }
      const auto units_of = [this](int64_t of) { return UnitsOf(of); };
      TileState tiles;
      RunUnits(queues, Parts(), index, units_of, [&](int64_t of, const PartUnits::Unit& unit) {
        Call own = call;
        if (staged_by_part_) own.x = of_part(of);
        Panel(own, unit, widened, &tiles);
      });
    };
    pool.Run(static_cast<int>(Parts()), [&part](int index) { part(index); });
  }

  bool RunsByRows() const override { return !shape_.dynamic; }
  int64_t RowUnit() const override { return shape_.image.OneLine() ? 1 : lines_.pixels(); }
  RowSpan Needs(RowSpan rows) const override { return shape_.image.OneLine() ? rows : lines_.Needs(rows); }
  size_t RowScratchBytes(int64_t rows) const override { return widened_bytes_ + StagedRowBytes(rows); }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    const PartSpan part = {rows.begin, rows.end};
    Call call = {inputs, outputs[0], static_cast<const uint8_t*>(inputs[0]), static_cast<int32_t>(zero_), 1};
    if (shape_.staged) call.x = StageRows(inputs[0], part, reinterpret_cast<uint8_t*>(scratch + widened_bytes_));
    TileState tiles;
    ForAllPanels(part, weight_->panels(), grid_.block_rows,
                 [&](const PartUnits::Unit& unit) { Panel(call, unit, scratch, &tiles); });
  }

 private:
  struct Call {
    std::span<const void* const> inputs;
    void* y;
    const uint8_t* x;
    int32_t zero;
    float factor;
  };

  static constexpr int64_t kSlack = 64;  // bytes behind what is laid out

  static size_t Padded64(int64_t bytes) { return static_cast<size_t>((bytes + 63) / 64 * 64); }
  int64_t Rows() const { return shape_.image.Lines() * shape_.image.LineRows(); }

  size_t StagedRowBytes(int64_t rows) const {
    return shape_.staged ? Padded64(shape_.image.MostPixels(rows) * shape_.image.pitch + kSlack) : 0;
  }
  // Lays out what `rows` read from `to` on; returns where the first pixel of all would be.
  const uint8_t* StageRows(const void* x, PartSpan rows, uint8_t* to) const {
    const PaddedImage::Span pixels = shape_.image.PixelsOf(rows.begin, rows.end);
    uint8_t* const first = to - pixels.begin * shape_.image.pitch;
    Stage(x, pixels.begin, pixels.end, first);
    return first;
  }

  int64_t Parts() const { return grid_.row_parts * grid_.panel_parts; }
  PartUnits UnitsOf(int64_t part) const { return UnitsOfPart(grid_, Rows(), weight_->panels(), part); }

  void Panel(const Call& call, const PartUnits::Unit& unit, std::byte* widened, TileState* tiles) const {
    const PartSpan rows = unit.rows;
    const int64_t panel = unit.panel;
    const bool has_next = unit.has_next;
    const int64_t group = panel / weight_->group_panels();
    const int64_t first = panel % weight_->group_panels() * PackedInt8::kLanes;
    const int64_t output = group * weight_->geometry().outputs + first;
    alignas(64) std::array<int32_t, PackedInt8::kLanes> start;
    Int8Task task;
    task.tiles = tiles;
    task.tap_steps = weight_->tap_steps();
    task.codes = weight_->codes(panel);
    task.order = weight_->order(panel);
    task.start = start.data();
    task.scale = static_cast<const float*>(call.inputs[2]) + output;
    if (call.inputs.size() > 3 && call.inputs[3] != nullptr) {
      task.bias = static_cast<const float*>(call.inputs[3]) + output;
    }
    if (has_next) {
      PrefetchLanes(task.scale + PackedInt8::kLanes);
      if (task.bias != nullptr) PrefetchLanes(task.bias + PackedInt8::kLanes);
    }
    task.factor = call.factor;
    task.lanes = static_cast<int>(std::min(PackedInt8::kLanes, weight_->geometry().outputs - first));
    task.result = &result_;
    task.y_pitch = shape_.conv.outputs;
    if (routine_.widen != nullptr && rows.end - rows.begin > routine_.inline_rows) {
      routine_.widen(task.codes, weight_->steps(), widened);
      task.widened = widened;
    }
    if (residual_element_ > 0) task.residual = call.inputs[4];
    if (routine_.begin != nullptr) routine_.begin(task);
    const int64_t lines = has_next ? (weight_->values(panel + 1) - weight_->values(panel)) / 64 : 0;
    const int64_t code_lines = has_next && routine_.sparse ? weight_->steps() / 2 : 0;
    const auto share = [&](int64_t of, int64_t row) { return of * (row - rows.begin) / (rows.end - rows.begin); };
    const int64_t line_rows = shape_.image.LineRows();
    task.x_pitch = shape_.image.RowPitch();
    const auto element = static_cast<int64_t>(ByteSize(result_.dtype, 1));
    for (int64_t row = rows.begin; row < rows.end; row += task.rows) {
      const int64_t line = row / line_rows, at = row % line_rows;
      task.rows = std::min(line_rows - at, rows.end - row);
      task.line_rows = 0;
      const PaddedImage::TapSpan met = shape_.image.TapsInImage(line, shape_.rows_as_taps);
      if (const int64_t most = (rows.end - row) / line_rows; routine_.by_tiles && at == 0 && most > 1) {
        const PaddedImage::LineRun run = shape_.image.LinesFrom(line, shape_.rows_as_taps, most);
        task.rows = run.lines * line_rows;
        task.line_rows = line_rows;
        task.line_pitch = run.pitch;
      }
      TakeTaps(met, panel, call.zero, widened, &start, &task);
      task.x = call.x + shape_.image.LineStart(line) + at * task.x_pitch + group * weight_->geometry().channels;
      task.y = static_cast<std::byte*>(call.y) + (row * shape_.conv.outputs + output) * element;
      if (residual_element_ > 0) {
        task.residual = static_cast<const std::byte*>(call.inputs[4]) +
                        (row * shape_.conv.outputs + output) * static_cast<int64_t>(residual_element_);
      }
      if (lines > 0) {
        task.ahead = reinterpret_cast<const std::byte*>(weight_->values(panel + 1)) + share(lines, row) * 64;
        task.ahead_lines = share(lines, row + task.rows) - share(lines, row);
      }
      if (code_lines > 0) {
        task.ahead_codes = reinterpret_cast<const std::byte*>(weight_->codes(panel + 1)) + share(code_lines, row) * 64;
        task.ahead_code_lines = share(code_lines, row + task.rows) - share(code_lines, row);
      }
      routine_.run(task);
    }
  }

  // Products with the zero point, which is what padding is made of, are what `start` takes off again: taps that meet
  // nothing else are left out of both.
  void TakeTaps(const PaddedImage::TapSpan& span, int64_t panel, int32_t zero, const std::byte* widened,
                std::array<int32_t, PackedInt8::kLanes>* start, Int8Task* task) const {
    const int64_t count = span.last - span.first, steps = span.first * weight_->tap_steps();
    const int64_t* const taps = taps_.data() + span.first;
    if (task->taps == taps && task->tap_count == count) return;
    task->taps = taps;
    task->tap_count = count;
    task->values = weight_->values(panel) + steps * PackedInt8::kLanes * 4;
    if (routine_.sparse) task->codes = weight_->codes(panel) + steps * PackedInt8::kLanes;
    if (task->widened != nullptr) task->widened = widened + steps * 64;
    start->fill(0);
    const int32_t* const sums = weight_->sums(panel);
    for (int64_t tap = span.first; zero != 0 && tap < span.last; ++tap) {
      for (size_t lane = 0; lane < start->size(); ++lane) {
        (*start)[lane] -= zero * sums[tap * PackedInt8::kLanes + static_cast<int64_t>(lane)];
      }
    }
  }
  // Pixels [begin, end) of the padded images.
  void Stage(const void* x, int64_t begin, int64_t end, uint8_t* staged) const {
    shape_.image.LayOut(x, begin, end, static_cast<uint8_t>(zero_), shape_.is_signed ? 0x80 : 0, staged);
  }

  Int8Shape shape_;
  std::shared_ptr<const PackedInt8> weight_;
  Int8Routine routine_;
  QuantizedResult result_;
  size_t residual_element_;  // bytes; 0: there is none
  int64_t zero_;
  int threads_;
  std::vector<int64_t> taps_;
  PanelGrid grid_;
  bool shares_ = false;  // parts take units from one another
  WindowLines lines_;
  bool staged_by_part_ = false;
  size_t staged_bytes_ = 0, part_bytes_ = 0, widened_bytes_ = 0;
};

}  // namespace

Status Int8PanelsSupported(const Problem& problem, bool sparse) {
  TAMIS_RETURN_IF_ERROR(ReadShape(problem).status());
  if (sparse && problem.input(1).pattern == Pattern::kDense) return UserError("the weight is not 2:4");
  return {};
}

Status ExpandedInt8Supported(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(Int8PanelsSupported(problem, true));
  if (problem.node->op == "QuantizedConv") {
    const QuantizedConvShape shape = *ReadQuantizedConv(problem);
    for (const SlidingAxis& axis : shape.geometry.axes) {
      const bool strides = axis.stride != 1 && axis.in != 1;  // with one pixel to read, a stride is none
      if (axis.kernel == 1 && !strides && axis.in == axis.out) continue;
      return UserError("needs a kernel of one pixel, no stride and no padding");
    }
  }
  return ExpandedRowsSupported(Elements(problem.outputs[0]) / problem.outputs[0].dims.back());
}

double Int8PanelsCost(const Problem& problem, Isa isa, double work) {
  const Dims& weight = problem.input(1).dims;
  double products = static_cast<double>(Elements(problem.outputs[0])) *
                    (static_cast<double>(Elements(problem.input(1))) / static_cast<double>(weight[0]));
  if (const int64_t group = problem.node->Int("group", 1); group > 1) {
    // Whole panels of outputs and whole groups of four inputs are computed, for one output of one channel too.
    const auto whole = [](int64_t count, int64_t unit) {
      return static_cast<double>((count + unit - 1) / unit * unit) / static_cast<double>(count);
    };
    products *= whole(weight[0] / group, PackedInt8::kLanes) * whole(weight.back(), 4);
  }
  return PredictSeconds(problem, isa, products * work);
}

double ExpandedInt8Cost(const Problem& problem) {
  // Dense tiles with the time of spreading, less that of the weight's bytes that do not come: three of eight, at what
  // PredictSeconds takes a second to bring in.
  constexpr double kWork = 0.1, kSaved = 3.0 / 8, kBytesPerSecond = 20e9;
  return Int8PanelsCost(problem, Isa::kAvx512, kWork) -
         kSaved * static_cast<double>(Elements(problem.input(1))) / kBytesPerSecond / std::max(problem.threads, 1);
}

double Int8SparseWork() {
  return 0.45 / SparseShare();
}

Result<std::unique_ptr<PreparedKernel>> PrepareInt8Panels(const Problem& problem, PackCache& cache,
                                                          const Int8Routine& routine) {
  TAMIS_ASSIGN_OR_RETURN(Int8Shape shape, ReadShape(problem));
  const Operand& weight = problem.input(1);
  Int8Geometry geometry;
  geometry.groups = shape.conv.group;
  geometry.outputs = shape.conv.outputs / shape.conv.group;
  geometry.taps = shape.conv.geometry.KernelSize();
  geometry.channels = shape.conv.channels / shape.conv.group;
  const SlidingAxis& w = shape.conv.geometry.axes[2];
  // Groups of four of the 2:4 pattern start anew at every tap.
  shape.rows_as_taps =
      geometry.groups == 1 && w.kernel > 1 && w.dilation == 1 && (!routine.sparse || geometry.channels % 4 == 0);
  if (shape.rows_as_taps) {
    geometry.taps /= w.kernel;
    geometry.channels *= w.kernel;
  }
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedInt8::Get(cache, weight.constant_hash, *weight.constant, geometry,
                                                      routine.sparse ? Pattern::kTwoFour : Pattern::kDense));
  PlanLayout(shape, *packed);
  return std::unique_ptr<PreparedKernel>(std::make_unique<Int8Product>(shape, problem, std::move(packed), routine));
}

}  // namespace tamis
