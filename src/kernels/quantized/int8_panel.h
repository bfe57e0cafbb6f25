// The inner routines of our own int8 products: rows of x times one panel of a packed weight, requantisation included.
// One for each ISA and pattern, defined in the file of its kernel.
#pragma once

#include "src/kernels/quantized/packed_int8.h"
#include "src/kernels/quantized/quantized.h"
#include "src/kernels/tile_state.h"

namespace tamis {

// y[r, l] = result(factor * scale[l] * (start[l] + sum_t sum_c x[r * x_pitch + taps[t] + c] w[l, t, c]) + bias[l])
// for r < rows and l < lanes.
struct Int8Task {
  const uint8_t* x = nullptr;
  int64_t x_pitch = 0;  // bytes from row to row
  int64_t rows = 0;
  // For routines by tiles, which take several lines at once: the rows of each, and bytes from line to line. 0: all rows
  // are one line.
  int64_t line_rows = 0;
  int64_t line_pitch = 0;
  const int64_t* taps = nullptr;  // where each tap's channels start, in bytes from a row's x
  int64_t tap_count = 0;
  int64_t tap_steps = 0;
  const int8_t* values = nullptr;  // of the panel
  const uint8_t* codes = nullptr;  // of the panel, where 2:4
  // Cache lines that these rows ask for on behalf of the next panel (PanelTask::ahead).
  const std::byte* ahead = nullptr;
  int64_t ahead_lines = 0;
  const std::byte* ahead_codes = nullptr;  // likewise of its codes
  int64_t ahead_code_lines = 0;
  TileState* tiles = nullptr;          // of the thread's part, for routines by tiles
  const std::byte* widened = nullptr;  // what `widen` wrote; null: the routine reads the codes as it goes
  const int32_t* order = nullptr;      // of a paired panel: the lane of each output
  const int32_t* start = nullptr;      // by lane, 64-byte aligned
  const float* scale = nullptr;        // `lanes` numbers
  const float* bias = nullptr;         // likewise, or null
  float factor = 1;
  int lanes = 0;
  const QuantizedResult* result = nullptr;
  const void* residual = nullptr;  // added before the activation; laid out as y, in elements of its own type
  void* y = nullptr;               // the panel's first output of the first row
  int64_t y_pitch = 0;             // elements
  // What Int8Routine::begin computed.
  alignas(64) std::byte state[1024];
};

struct Int8Routine {
  bool sparse = false;
  bool by_tiles = false;    // `run` keeps tiles configured (tile_state.h) and takes several lines at once
  int64_t inline_rows = 0;  // up to so many rows, `run` reads codes itself
  // Spreads the codes of `steps` steps to shuffle indices, 64 bytes a step. Null if dense.
  void (*widen)(const uint8_t* codes, int64_t steps, std::byte* to) = nullptr;
  // Writes task.state, which is the same for all rows of the panel: of x, y and the residual only whether there is one
  // counts. Null if the routine has none.
  void (*begin)(Int8Task& task) = nullptr;
  void (*run)(const Int8Task& task) = nullptr;
};
// For AVX-512 with VNNI; and where there is AVX512_VBMI, too.
extern const Int8Routine kInt8DenseAvx512, kInt8SparseAvx512, kInt8DenseVbmi, kInt8SparseVbmi;

// QuantizedLinear, DynamicQuantizedLinear and QuantizedConv by such a routine. Convolutions are implicit: x with its
// padding (the zero point) is laid out once, and every tap reads it there. Signed x is shifted by 128 on that way.
Status Int8PanelsSupported(const Problem& problem, bool sparse);
// 2:4 by tiles, spread in front of their use: of one tap and few rows (kMostExpandedRows).
Status ExpandedInt8Supported(const Problem& problem);
double ExpandedInt8Cost(const Problem& problem);
// `work`: operations of the cost model (PredictSeconds) for one multiply-add.
double Int8PanelsCost(const Problem& problem, Isa isa, double work);
// That of VNNI with a 2:4 weight in 512 bits on this CPU.
double Int8SparseWork();
Result<std::unique_ptr<PreparedKernel>> PrepareInt8Panels(const Problem& problem, PackCache& cache,
                                                          const Int8Routine& routine);

}  // namespace tamis
