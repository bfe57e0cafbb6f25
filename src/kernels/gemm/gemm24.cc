#include "src/kernels/gemm/gemm24.h"

#include <algorithm>
#include <cstring>

namespace tamis {
namespace {

constexpr int64_t kRowUnit = 8;  // rows are cut at multiples of this, the tile height of the vector routines

int64_t AlignUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

class Gemm24 : public PreparedKernel {
 public:
  Gemm24(const GemmShape& shape, std::shared_ptr<const Packed24> weight, int threads, Panel24 panel)
      : shape_(shape), weight_(std::move(weight)), panel_(panel) {
    element_ = BitSize(shape_.in) / 8;
    grid_ = CutGrid24(shape_.rows, weight_->panels(), shape_.depth * element_, threads);
    copy_rows_ = CopiesRows();
    // A pitch that is not a multiple of 1 KiB keeps the rows of a tile in different cache sets.
    copy_pitch_ = AlignUp(weight_->groups() * 4 * element_, 64) / element_;
    if (copy_pitch_ * element_ % 1024 == 0) copy_pitch_ += 64 / element_;
  }

  size_t WorkspaceBytes() const override {
    return copy_rows_ ? static_cast<size_t>(grid_.row_parts * grid_.panel_parts) * CopyBytes() : 0;
  }

  void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
           ThreadPool& pool) const override {
    const auto part = [&](int index) {
      const Span24 panels = PartOf(weight_->panels(), grid_.panel_parts, index % grid_.panel_parts);
      const int64_t row_units = (shape_.rows + kRowUnit - 1) / kRowUnit;
      const Span24 units = PartOf(row_units, grid_.row_parts, index / grid_.panel_parts);
      const int64_t end = std::min(units.end * kRowUnit, shape_.rows);
      std::byte* copy = copy_rows_ ? workspace + static_cast<size_t>(index) * CopyBytes() : nullptr;
      for (int64_t row = units.begin * kRowUnit; row < end; row += grid_.block_rows) {
        RunBlock(inputs, outputs, copy, row, std::min(grid_.block_rows, end - row), panels);
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
  size_t CopyBytes() const { return static_cast<size_t>(AlignUp(grid_.block_rows * copy_pitch_ * element_, 64)); }

  void RunBlock(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* copy, int64_t row,
                int64_t rows, Span24 panels) const {
    Panel24Task task;
    const std::byte* x = static_cast<const std::byte*>(inputs[0]) + row * shape_.depth * element_;
    task.x = x;
    task.x_pitch = shape_.depth;
    if (copy != nullptr) {
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
      const int64_t first = panel * Packed24::kLanes;
      const int64_t at = row * shape_.outputs + first;
      task.values = weight_->values(panel);
      task.codes = weight_->codes(panel);
      task.lanes = static_cast<int>(std::min(Packed24::kLanes, shape_.outputs - first));
      if (shape_.epilogue.bias) task.bias = static_cast<const float*>(inputs[2]) + first;
      if (shape_.epilogue.residual) {
        task.residual = static_cast<const std::byte*>(inputs[3]) + at * (task.residual_bf16 ? 2 : 4);
      }
      task.y = static_cast<std::byte*>(outputs[0]) + at * (task.y_bf16 ? 2 : 4);
      panel_(task);
    }
  }

  GemmShape shape_;
  std::shared_ptr<const Packed24> weight_;
  Panel24 panel_;
  int64_t element_ = 0;  // bytes
  Grid24 grid_;
  bool copy_rows_ = false;
  int64_t copy_pitch_ = 0;  // elements
};

}  // namespace

Grid24 CutGrid24(int64_t rows, int64_t panels, int64_t bytes_per_row, int threads) {
  constexpr int64_t kBlockBytes = 256 << 10;
  const int64_t units = (rows + kRowUnit - 1) / kRowUnit;
  Grid24 best;
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

Status Gemm24Supported(const Problem& problem, DType dtype) {
  const auto shape = ReadLinear(problem);
  if (!shape.ok()) return shape.status();
  if (problem.input(1).pattern != Pattern::kTwoFour) return UserError("the weight is not 2:4");
  if (shape->in != dtype) return UserError("x is {}; this kernel computes in {}", Name(shape->in), Name(dtype));
  return {};
}

double Gemm24Cost(const Problem& problem, Isa isa) {
  const auto shape = ReadLinear(problem);
  const double flops = 2.0 * static_cast<double>(shape->rows * shape->outputs) * static_cast<double>(shape->depth);
  return PredictSeconds(flops, SparseFlopsPerCycle(isa, shape->in), GemmBytes(*shape, 0.6), problem.threads);
}

Result<std::unique_ptr<PreparedKernel>> PrepareGemm24(const Problem& problem, PackCache& cache, Panel24 panel) {
  TAMIS_ASSIGN_OR_RETURN(const GemmShape shape, ReadLinear(problem));
  const Operand& weight = problem.input(1);
  TAMIS_ASSIGN_OR_RETURN(auto packed, Packed24::Get(cache, weight.constant_hash, *weight.constant));
  return std::unique_ptr<PreparedKernel>(std::make_unique<Gemm24>(shape, std::move(packed), problem.threads, panel));
}

}  // namespace tamis
