// Products with a 2:4 weight, rows of x across the lanes.
//
// x is transposed, a block of rows and inputs at a time, into vectors of rows in the first-level cache: [input][rows].
// Which two of four inputs an output keeps is then a matter of addresses: a kept weight is broadcast once and
// multiplies the vectors at its own input. No element is shuffled; what it takes is a load for each multiply-add. Two
// outputs that keep the same positions share those loads.
#pragma once

#include <array>

#include "src/kernels/conv/conv_shape.h"
#include "src/kernels/gemm/packed_columns.h"
#include "src/kernels/gemm/panel.h"

namespace tamis {

constexpr int64_t kMostXBlocks = 8;  // blocks of inputs that are multiplied in one go

// sums[outputs[..]][rows] (+)= the units of a section times a block of x, vectors * lanes rows.
struct ColumnsTask {
  const float* x = nullptr;  // [inputs][rows]
  int64_t vectors = 0;
  int64_t blocks = 0;       // of PackedColumns::kBlock inputs, but for the last
  int64_t last_octets = 0;  // of the last one
  bool first = false;       // sums begin here
  // Of each block, the first unit's.
  std::array<const std::byte*, kMostXBlocks> values = {};
  std::array<const uint8_t*, kMostXBlocks> codes = {};
  bool bf16 = false;  // values
  int64_t width = 1, units = 0;
  const int32_t* outputs = nullptr;  // of unit u: [u * width, (u + 1) * width)
  float* sums = nullptr;
};

struct ColumnsRoutine {
  int64_t lanes = 0;
  int64_t most_vectors = 0;
  // to[i * pitch + r] = rows[r][i] for i < count and r < lanes, zeros for count <= i < padded.
  void (*transpose)(const void* const* rows, bool bf16, int64_t count, int64_t padded, float* to,
                    int64_t pitch) = nullptr;
  void (*multiply)(const ColumnsTask& task) = nullptr;
  // y of rows [0, rows) of the task from sums [rows][PackedPanels::kLanes], which are used up. At most kMostLanes rows.
  void (*finish)(const PanelTask& task, int rows, float* sums) = nullptr;
};
constexpr int64_t kMostLanes = 16;  // of any routine

Status GemmColumnsSupported(const Problem& problem);
Status ConvColumnsSupported(const Problem& problem);
double GemmColumnsCost(const Problem& problem, Isa isa);
double ConvColumnsCost(const Problem& problem, Isa isa);
Result<std::unique_ptr<PreparedKernel>> PrepareGemmColumns(const Problem& problem, PackCache& cache,
                                                           const ColumnsRoutine& routine);
Result<std::unique_ptr<PreparedKernel>> PrepareConvColumns(const Problem& problem, PackCache& cache,
                                                           const ColumnsRoutine& routine);

}  // namespace tamis
