#include "src/kernels/gemm/gemm_panels.h"

#include <algorithm>
#include <cstring>

namespace tamis {
namespace {

constexpr int64_t kRowUnit = 8;  // rows are cut at multiples of this, the tile height of the vector routines

int64_t AlignUp(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

class GemmPanels : public PreparedKernel {
 public:
  GemmPanels(const GemmShape& shape, std::shared_ptr<const PackedPanels> weight, int threads, PanelRoutine routine)
      : shape_(shape), weight_(std::move(weight)), routine_(routine) {
    element_ = BitSize(shape_.in) / 8;
    grid_ = CutPanelGrid(shape_.rows, weight_->panels(), shape_.depth * element_, threads);
    copy_rows_ = CopiesRows();
    // A pitch that is not a multiple of 1 KiB keeps the rows of a tile in different cache sets.
    copy_pitch_ = AlignUp(weight_->groups() * 4 * element_, 64) / element_;
    if (copy_pitch_ * element_ % 1024 == 0) copy_pitch_ += 64 / element_;
  }

  size_t WorkspaceBytes() const override {
    return static_cast<size_t>(grid_.row_parts * grid_.panel_parts) * PartBytes();
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const auto part = [&](int index) {
      const PartSpan panels = PartOf(weight_->panels(), grid_.panel_parts, index % grid_.panel_parts);
      const int64_t row_units = (shape_.rows + kRowUnit - 1) / kRowUnit;
      const PartSpan units = PartOf(row_units, grid_.row_parts, index / grid_.panel_parts);
      const int64_t end = std::min(units.end * kRowUnit, shape_.rows);
      std::byte* scratch = workspace + static_cast<size_t>(index) * PartBytes();
      for (int64_t row = units.begin * kRowUnit; row < end; row += grid_.block_rows) {
        RunBlock(inputs, outputs, scratch, row, std::min(grid_.block_rows, end - row), panels);
      }
    };
    pool.Run(static_cast<int>(grid_.row_parts * grid_.panel_parts), [&part](int index) { part(index); });
  }

 private:
  // Routines read whole groups: a depth that is not a multiple of four needs rows with zeros behind them. And rows
  // whose pitch is a large power of two would share few cache sets.
  bool CopiesRows() const {
    return shape_.depth % 4 != 0 || (shape_.depth * element_ % 4096 == 0 && weight_->panels() > 4 && shape_.rows > 4);
  }
  size_t PartBytes() const {
    const int64_t copy = copy_rows_ ? AlignUp(grid_.block_rows * copy_pitch_ * element_, 64) : 0;
    return PanelScratchBytes(weight_->groups()) + static_cast<size_t>(copy);
  }

  void RunBlock(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* scratch, int64_t row,
                int64_t rows, PartSpan panels) const {
    PanelTask task;
    task.scratch = scratch;
    const std::byte* x = static_cast<const std::byte*>(inputs[0]) + row * shape_.depth * element_;
    task.x = x;
    task.x_pitch = shape_.depth;
    if (copy_rows_) {
      std::byte* copy = scratch + PanelScratchBytes(weight_->groups());
      const auto used = static_cast<size_t>(shape_.depth * element_);
      const auto pitch = static_cast<size_t>(copy_pitch_ * element_);
      for (int64_t i = 0; i < rows; ++i) {
        std::byte* to = copy + static_cast<size_t>(i) * pitch;
        std::memcpy(to, x + static_cast<size_t>(i) * used, used);
        std::memset(to + used, 0, pitch - used);
      }
      task.x = copy;
      task.x_pitch = copy_pitch_;
    }
    task.rows = rows;
    task.groups = weight_->groups();
    task.epilogue = &shape_.epilogue;
    task.residual_bf16 = shape_.residual == DType::kBFloat16;
    task.y_bf16 = shape_.out == DType::kBFloat16;
    task.y_pitch = shape_.outputs;
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t first = panel * PackedPanels::kLanes;
      const int64_t at = row * shape_.outputs + first;
      task.values = weight_->values(panel);
      task.codes = weight_->codes(panel);
      task.lanes = static_cast<int>(std::min(PackedPanels::kLanes, shape_.outputs - first));
      if (shape_.epilogue.bias) task.bias = static_cast<const float*>(inputs[2]) + first;
      if (shape_.epilogue.residual) {
        task.residual = static_cast<const std::byte*>(inputs[3]) + at * (task.residual_bf16 ? 2 : 4);
      }
      task.y = static_cast<std::byte*>(outputs[0]) + at * (task.y_bf16 ? 2 : 4);
      routine_(task);
    }
  }

  GemmShape shape_;
  std::shared_ptr<const PackedPanels> weight_;
  PanelRoutine routine_;
  int64_t element_ = 0;  // bytes
  PanelGrid grid_;
  bool copy_rows_ = false;
  int64_t copy_pitch_ = 0;  // elements
};

}  // namespace

PanelGrid CutPanelGrid(int64_t rows, int64_t panels, int64_t bytes_per_row, int threads) {
  constexpr int64_t kBlockBytes = 256 << 10;
  const int64_t units = (rows + kRowUnit - 1) / kRowUnit;
  PanelGrid best;
  int64_t best_work = INT64_MAX;
  for (int64_t panel_parts = 1; panel_parts <= threads; ++panel_parts) {
    if (panel_parts > panels) break;
    const int64_t row_parts = std::clamp<int64_t>(threads / panel_parts, 1, units);
    // The largest part, and what it must read of the weight: a tie goes to fewer bytes of it.
    const int64_t largest_rows = (units + row_parts - 1) / row_parts;
    const int64_t largest_panels = (panels + panel_parts - 1) / panel_parts;
    const int64_t work = largest_rows * largest_panels * 64 + largest_panels;
    if (work < best_work) {
      best_work = work;
      best.row_parts = row_parts;
      best.panel_parts = panel_parts;
    }
  }
  const int64_t fitting = kBlockBytes / std::max<int64_t>(bytes_per_row, 1) / kRowUnit * kRowUnit;
  best.block_rows = std::clamp<int64_t>(fitting, 24, std::max<int64_t>(24, AlignUp(rows, kRowUnit)));
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
  const double flops = 2.0 * static_cast<double>(shape->rows * shape->outputs) * static_cast<double>(shape->depth);
  const bool sparse = pattern == Pattern::kTwoFour;
  const double per_cycle = sparse ? SparseFlopsPerCycle(isa, shape->in) : PanelFlopsPerCycle(isa, shape->in);
  return PredictSeconds(flops, per_cycle, GemmBytes(*shape, sparse ? 0.6 : 1), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareGemmPanels(const Problem& problem, PackCache& cache, Pattern pattern,
                                                          PanelRoutine routine) {
  TAMIS_ASSIGN_OR_RETURN(const GemmShape shape, ReadLinear(problem));
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, PackedPanels::Get(cache, weight.constant_hash, *weight.constant, pattern));
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<GemmPanels>(shape, std::move(packed), problem.threads, routine));
}

}  // namespace tamis
