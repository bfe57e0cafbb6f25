#include "src/kernels/gemm/gemm_panels.h"

#include <algorithm>
#include <cstring>

#include "src/base/cpu.h"
#include "src/kernels/gemm/shared_units.h"
#include "src/kernels/row_kernel.h"

namespace tamis {
namespace {

int64_t AlignUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

class GemmPanels : public RowKernel {
 public:
  GemmPanels(const GemmShape& shape, std::shared_ptr<const PackedPanels> weight, int threads, PanelRoutine routine,
             RowConversion convert)
      : shape_(shape),
        weight_(std::move(weight)),
        routine_(routine),
        convert_(convert),
        x_element_(BitSize(shape.in) / 8),
        element_(BitSize(weight_->dtype()) / 8) {
    grid_ = CutPanelGrid(shape_.rows, weight_->panels(), shape_.depth * element_, threads, 2,
                         routine.by_tiles ? kTilePace : kVectorPace);
    // Blocks of fewer rows than a panel has lanes read more of the weight, again and again and perhaps from memory,
    // than of x would come from the cache behind: then x stays there. (128 x 768 of depth 3,072, one thread of Zen
    // 1: 17.9 and 16.3 ms.)
    constexpr int64_t kBehindBytes = 2 << 20;
    if (grid_.block_rows < PackedPanels::kLanes && grid_.block_rows < shape_.rows) {
      const int64_t behind = kBehindBytes / (shape_.depth * element_) / 8 * 8;
      grid_.block_rows = std::max(grid_.block_rows, std::min(behind, AlignUp(shape_.rows, 8)));
    }
    shares_ = WorthSharing(shape_.rows * shape_.outputs * shape_.depth, Parts());
    // Routines read whole groups: a depth that is not a multiple of four needs rows with zeros behind them. And rows
    // whose pitch is a large power of two would share few cache sets.
    const bool aliasing = shape_.depth * element_ % 4096 == 0 && weight_->panels() > 4 && shape_.rows > 4;
    if (convert != nullptr || shape_.depth % 4 != 0 || aliasing) copy_pitch_ = CopyPitch(weight_->groups(), element_);
  }

  size_t WorkspaceBytes() const override {
    return UnitQueue::Bytes(Parts()) + static_cast<size_t>(Parts()) * PartBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    UnitQueue* const queues = UnitQueue::MakeIn(workspace, Parts(), shares_);
    const auto part = [&](int index) {
      Scratch scratch(workspace + UnitQueue::Bytes(Parts()) + static_cast<size_t>(index) * PartBytes());
      const auto units_of = [this](int64_t of) { return UnitsOf(of); };
      RunUnits(queues, Parts(), index, units_of,
               [&](int64_t /*of*/, const PartUnits::Unit& unit) { RunUnit(inputs, outputs[0], unit, &scratch); });
    };
    pool.Run(static_cast<int>(Parts()), [&part](int index) { part(index); });
  }

  size_t RowScratchBytes(int64_t /*rows*/) const override { return PartBytes(); }
  void RunRows(std::span<const void* const> inputs, std::span<void* const> outputs, RowSpan rows,
               std::byte* scratch) const override {
    Scratch own(scratch);
    ForAllPanels({rows.begin, rows.end}, weight_->panels(), grid_.block_rows,
                 [&](const PartUnits::Unit& unit) { RunUnit(inputs, outputs[0], unit, &own); });
  }

 private:
  size_t PartBytes() const {
    return PanelScratchBytes(weight_->groups()) +
           static_cast<size_t>(AlignUp(grid_.block_rows * copy_pitch_ * element_, 64));
  }
  // Of whoever runs units.
  struct Scratch {
    explicit Scratch(std::byte* at) : memory(at) {}
    std::byte* memory;
    TileState tiles;
    PartSpan copied = {-1, -1};  // rows of x that lie there
  };

  int64_t Parts() const { return grid_.row_parts * grid_.panel_parts; }
  PartUnits UnitsOf(int64_t part) const { return UnitsOfPart(grid_, shape_.rows, weight_->panels(), part); }

  void RunUnit(std::span<const void* const> inputs, void* y, const PartUnits::Unit& unit, Scratch* scratch) const {
    const PanelRun run = {shape_, *weight_, routine_, inputs, y};
    const int64_t count = unit.rows.end - unit.rows.begin;
    const std::byte* x = static_cast<const std::byte*>(inputs[0]) + unit.rows.begin * shape_.depth * x_element_;
    int64_t pitch = shape_.depth;
    if (copy_pitch_ != 0) {
      std::byte* const copy = scratch->memory + PanelScratchBytes(weight_->groups());
      if (scratch->copied.begin != unit.rows.begin || scratch->copied.end != unit.rows.end) {
        CopyRows(x, count, copy);
        scratch->copied = unit.rows;
      }
      x = copy;
      pitch = copy_pitch_;
    }
    PanelTask task = run.TaskOf(unit.panel, unit.has_next, pitch);
    task.rows = count;
    task.scratch = scratch->memory;
    task.tiles = &scratch->tiles;
    run.Call(task, x, unit.rows.begin, unit.panel);
  }
  void CopyRows(const std::byte* x, int64_t rows, std::byte* copy) const {
    const auto used = static_cast<size_t>(shape_.depth * element_);
    const auto pitch = static_cast<size_t>(copy_pitch_ * element_);
    for (int64_t i = 0; i < rows; ++i, x += shape_.depth * x_element_, copy += pitch) {
      if (convert_ != nullptr) {
        convert_(x, shape_.depth, copy);
      } else {
        std::memcpy(copy, x, used);
      }
      std::memset(copy + used, 0, pitch - used);
    }
  }

  GemmShape shape_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelRoutine routine_;
  RowConversion convert_;
  int64_t x_element_;  // bytes
  int64_t element_;    // of what the routine reads
  PanelGrid grid_;
  bool shares_ = false;     // parts take units from one another
  int64_t copy_pitch_ = 0;  // 0: rows are used in place
};

// `weight_share`: bytes of the weight over those of its dense elements.
double Seconds(const GemmShape& shape, double flops_per_cycle, double weight_share, int threads) {
  const double flops = 2.0 * static_cast<double>(shape.rows * shape.outputs) * static_cast<double>(shape.depth);
  return PredictSeconds(flops, flops_per_cycle, GemmBytes(shape, weight_share), threads);
}

}  // namespace

PartSpan RowsOf(const PanelGrid& grid, int64_t rows, int64_t index) {
  const int64_t unit = grid.row_unit;
  const PartSpan units = PartOf((rows + unit - 1) / unit, grid.row_parts, index / grid.panel_parts);
  return {units.begin * unit, std::min(units.end * unit, rows)};
}

PartSpan PanelsOf(const PanelGrid& grid, int64_t panels, int64_t index) {
  return PartOf(panels, grid.panel_parts, index % grid.panel_parts);
}

int64_t CopyPitch(int64_t groups, int64_t element) {
  const int64_t bytes = AlignUp(groups * 4 * element, 64);
  return (bytes % 1024 == 0 ? bytes + 64 : bytes) / element;
}

PanelTask PanelRun::TaskOf(int64_t panel, bool has_next, int64_t x_pitch) const {
  PanelTask task;
  task.x_pitch = x_pitch;
  task.groups = weight.groups();
  task.taps = taps;
  task.tap_groups = weight.groups() / static_cast<int64_t>(taps.size());
  task.epilogue = &shape.epilogue;
  task.residual_bf16 = shape.residual == DType::kBFloat16;
  task.y_bf16 = shape.out == DType::kBFloat16;
  task.y_pitch = shape.outputs;
  const int64_t first = panel * PackedPanels::kLanes;
  task.values = weight.values(panel);
  task.codes = weight.codes(panel);
  task.order = weight.order(panel);
  task.ahead = has_next ? reinterpret_cast<const std::byte*>(weight.values(panel + 1)) : nullptr;
  task.ahead_lines = has_next ? (weight.values(panel + 1) - weight.values(panel)) / 64 : 0;
  if (has_next && task.codes != nullptr) {
    task.ahead_codes = reinterpret_cast<const std::byte*>(weight.codes(panel + 1));
    task.ahead_code_lines = (weight.codes(panel + 1) - weight.codes(panel)) / 64;
  }
  task.lanes = static_cast<int>(std::min(PackedPanels::kLanes, shape.outputs - first));
  if (shape.epilogue.bias) {
    task.bias = static_cast<const float*>(inputs[2]) + first;
    if (has_next) PrefetchLanes(task.bias + PackedPanels::kLanes);
  }
  return task;
}

void PanelRun::Call(PanelTask& task, const void* x, int64_t row, int64_t panel) const {
  const int64_t at = row * shape.outputs + panel * PackedPanels::kLanes;
  task.x = x;
  if (shape.epilogue.residual) {
    task.residual = static_cast<const std::byte*>(inputs[3]) + at * (task.residual_bf16 ? 2 : 4);
  }
  task.y = static_cast<std::byte*>(y) + at * (task.y_bf16 ? 2 : 4);
  routine.run(task);
}

void PanelRun::operator()(const void* x, int64_t x_pitch, int64_t row, int64_t rows, PartSpan panels,
                          std::byte* scratch) const {
  TileState tiles;
  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    PanelTask task = TaskOf(panel, panel + 1 < panels.end, x_pitch);
    task.rows = rows;
    task.scratch = scratch;
    task.tiles = &tiles;
    Call(task, x, row, panel);
  }
}

PanelGrid CutPanelGrid(int64_t rows, int64_t panels, int64_t bytes_per_row, int threads, int64_t row_unit,
                       const PanelPace& pace) {
  // More than this of x at a time would push the panel out of the second-level cache; less reads the weight more often.
  const int64_t block_bytes = std::max<int64_t>(256 << 10, Cpu().l2_bytes / 2);
  const int64_t units = (rows + row_unit - 1) / row_unit;
  PanelGrid best;
  best.row_unit = row_unit;
  double best_cycles = 0;
  for (int64_t panel_parts = 1; panel_parts <= threads; ++panel_parts) {
    if (panel_parts > panels) break;
    const int64_t row_parts = std::clamp<int64_t>(threads / panel_parts, 1, units);
    // Cycles of the largest part, over the bytes of a row: products, and what comes from beyond the core's own cache,
    // twelve bytes a cycle. Where panels are cut, half of x was written by another core, which still holds it: such
    // lines take twice as long.
    const auto largest_rows = static_cast<double>((units + row_parts - 1) / row_parts * row_unit);
    const auto largest_panels = static_cast<double>((panels + panel_parts - 1) / panel_parts);
    const double cycles = largest_rows * largest_panels / pace.row_panels +
                          largest_rows * (panel_parts > 1 ? 2 : 1) / 12 +
                          largest_panels * PackedPanels::kLanes / pace.weight_bytes;
    if (panel_parts == 1 || cycles < best_cycles) {
      best_cycles = cycles;
      best.row_parts = row_parts;
      best.panel_parts = panel_parts;
    }
  }
  constexpr int64_t kTile = 8;
  const int64_t fitting = block_bytes / std::max<int64_t>(bytes_per_row, 1) / kTile * kTile;
  best.block_rows = std::clamp<int64_t>(fitting, 24, std::max<int64_t>(24, AlignUp(rows, kTile)));
  return best;
}

Status GemmPanelsSupported(const Problem& problem, DType dtype, Pattern pattern) {
  const auto shape = ReadLinear(problem);
  if (!shape.ok()) return shape.status();
  if (pattern == Pattern::kTwoFour && problem.input(1).pattern != pattern) return UserError("the weight is not 2:4");
  if (shape->in != dtype) return UserError("x is {}; this kernel computes in {}", Name(shape->in), Name(dtype));
  return {};
}

double GemmPanelsCost(const Problem& problem, Isa isa, Pattern pattern) {
  const auto shape = ReadLinear(problem);
  const bool sparse = pattern == Pattern::kTwoFour;
  const double per_cycle = sparse ? SparseFlopsPerCycle(isa, shape->in) : PanelFlopsPerCycle(isa, shape->in);
  return Seconds(*shape, per_cycle, sparse ? 0.6 : 1, problem.threads);
}

double GemmTilesCost(const Problem& problem) {
  const auto shape = ReadLinear(problem);
  return Seconds(*shape, TileFlopsPerCycle(shape->rows), 1, problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareGemmPanels(const Problem& problem, PackCache& cache, Pattern pattern,
                                                          PanelRoutine routine, LaneOrder order) {
  TAMIS_ASSIGN_OR_RETURN(const GemmShape shape, ReadLinear(problem));
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedPanels::Get(cache, weight.constant_hash, *weight.constant, pattern, order));
  return MakeGemmPanels(shape, std::move(packed), problem.threads, routine);
}

std::unique_ptr<PreparedKernel> MakeGemmPanels(const GemmShape& shape, std::shared_ptr<const PackedPanels> weight,
                                               int threads, PanelRoutine routine, RowConversion convert) {
  return std::make_unique<GemmPanels>(shape, std::move(weight), threads, routine, convert);
}

double WidenedPanelsCost(const GemmShape& shape, int threads) {
  return Seconds(shape, PanelFlopsPerCycle(Isa::kAvx512, DType::kFloat32), 2, threads);
}

Status ExpandedRowsSupported(int64_t rows) {
  if (rows <= kMostExpandedRows) return {};
  return UserError("{} rows; takes {} at the most", rows, kMostExpandedRows);
}

double ExpandedPanelsCost(const GemmShape& shape, int threads) {
  // 80 cycles to spread 32 inputs of a panel, for 32 rows at a time.
  constexpr double kForRow = 2.0 * 32 * 32 / 80;
  const double spread = kForRow * static_cast<double>(std::min<int64_t>(shape.rows, 32));
  return Seconds(shape, std::min(TileFlopsPerCycle(shape.rows), spread), 0.6, threads);
}

Status ExpandedLinearSupported(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(GemmPanelsSupported(problem, DType::kBFloat16, Pattern::kTwoFour));
  return ExpandedRowsSupported(ReadLinear(problem)->rows);
}

double ExpandedLinearCost(const Problem& problem) {
  return ExpandedPanelsCost(*ReadLinear(problem), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareWidenedPanels(const GemmShape& shape, const Problem& problem,
                                                             PackCache& cache) {
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedPanels::GetWidened(cache, weight.constant_hash, *weight.constant));
  return MakeGemmPanels(shape, std::move(packed), problem.threads, PanelF32Avx512, WidenBf16Avx512);
}

}  // namespace tamis
