// Linear over packed panels, driven by any panel routine: what the gemm_* and gemm24_* kernels have in common.
#pragma once

#include "src/kernels/gemm/gemm_shape.h"
#include "src/kernels/gemm/panel.h"

namespace tamis {

// OK for operands of `dtype`. kTwoFour needs a weight that follows it; kDense takes any.
Status GemmPanelsSupported(const Problem& problem, DType dtype, Pattern pattern);
double GemmPanelsCost(const Problem& problem, Isa isa, Pattern pattern);
double GemmTilesCost(const Problem& problem);  // dense bf16 by tiles
Result<std::unique_ptr<PreparedKernel>> PrepareGemmPanels(const Problem& problem, PackCache& cache, Pattern pattern,
                                                          PanelRoutine routine, LaneOrder order = LaneOrder::kOutputs);
// Writes `count` elements of a row of x as the routine reads them.
using RowConversion = void (*)(const void* x, int64_t count, void* to);
// The kernel for a weight that is packed already. With a conversion x is not of the weight's type: each part of the
// work converts the rows of a block before it multiplies them.
std::unique_ptr<PreparedKernel> MakeGemmPanels(const GemmShape& shape, std::shared_ptr<const PackedPanels> weight,
                                               int threads, PanelRoutine routine, RowConversion convert = nullptr);
// In f32 what has bf16 operands: where products of bf16 take longer than those of f32, see docs/performance.md.
Result<std::unique_ptr<PreparedKernel>> PrepareWidenedPanels(const GemmShape& shape, const Problem& problem,
                                                             PackCache& cache);
double WidenedPanelsCost(const GemmShape& shape, int threads);
// 2:4 in bf16 by tiles, spread in front of their use (kPanel24Bf16Amx): for few rows only, as each 32 more spread the
// whole weight again.
inline constexpr int64_t kMostExpandedRows = 64;
Status ExpandedRowsSupported(int64_t rows);
double ExpandedPanelsCost(const GemmShape& shape, int threads);
Status ExpandedLinearSupported(const Problem& problem);
double ExpandedLinearCost(const Problem& problem);

// How work on rows x panels is cut for `threads`: a grid of row_parts x panel_parts, and blocks of rows whose elements
// stay in the second-level cache while all panels of a part pass over them.
struct PanelGrid {
  int64_t row_parts = 1;
  int64_t panel_parts = 1;
  int64_t row_unit = 1;  // rows are cut at multiples of this
  int64_t block_rows = 1;
};
// How fast a routine is, for CutPanelGrid: rows x panels that it multiplies in a cycle for each byte of a row, and
// bytes of the weight that come from beyond the core's cache in a cycle. Vectors take two products a cycle, and their
// weight comes while they do. Tiles multiply six times as fast, and wait for it.
struct PanelPace {
  double row_panels, weight_bytes;
};
inline constexpr PanelPace kVectorPace = {4, 24}, kTilePace = {25, 12};
PanelGrid CutPanelGrid(int64_t rows, int64_t panels, int64_t bytes_per_row, int threads, int64_t row_unit = 2,
                       const PanelPace& pace = kVectorPace);
// [begin, end) of part `index` of `parts` over `count` items, sizes differing by at most one.
struct PartSpan {
  int64_t begin = 0;
  int64_t end = 0;
};
inline PartSpan PartOf(int64_t count, int64_t parts, int64_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}
// Rows and panels of part `index` of a grid.
PartSpan RowsOf(const PanelGrid& grid, int64_t rows, int64_t index);
PartSpan PanelsOf(const PanelGrid& grid, int64_t panels, int64_t index);

// Elements from row to row of a copy of x with `groups` groups of four, `element` bytes each: whole cache lines, and
// never a multiple of 1 KiB, so that the rows of a tile lie in different cache sets.
int64_t CopyPitch(int64_t groups, int64_t element);

// Runs `routine` on rows [row, row + rows) and the panels of `panels`. `x` is the first of the rows.
struct PanelRun {
  const GemmShape& shape;
  const PackedPanels& weight;
  PanelRoutine routine;
  std::span<const void* const> inputs;  // bias and residual are 2 and 3
  void* y;
  // As of PanelTask; for routines that have taps.
  std::span<const int64_t> taps = kOnePlace;
  void operator()(const void* x, int64_t x_pitch, int64_t row, int64_t rows, PartSpan panels, std::byte* scratch) const;
  // One panel at a time: the task without its rows, and a call of the routine on those that begin at `row`.
  PanelTask TaskOf(int64_t panel, bool has_next, int64_t x_pitch) const;
  void Call(PanelTask& task, const void* x, int64_t row, int64_t panel) const;
};

}  // namespace tamis
