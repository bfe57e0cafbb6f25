// The inner routine of the gemm and conv kernels: rows of x times one panel of a packed weight, epilogue included. One
// function for each ISA, dtype and pattern; each is defined in the file of its gemm kernel.
#pragma once

#include <span>

#include "src/kernels/gemm/packed_panels.h"
#include "src/kernels/tile_state.h"
#include "src/ops/op_tamis.h"

namespace tamis {

inline constexpr int64_t kOnePlace[] = {0};

// y[r, l] = act(sum_k x[r, k] w[l, k] + bias[l] + residual[r, l]) for r < rows and l < lanes.
struct PanelTask {
  const void* x = nullptr;  // rows of groups * 4 elements of the weight's dtype; no routine reads behind a row's last
  int64_t x_pitch = 0;      // elements from row to row
  int64_t rows = 0;
  // For routines by tiles, which take several lines at once: the rows of each of them, and elements from line to line.
  // 0: all rows are one line.
  int64_t line_rows = 0;
  int64_t line_pitch = 0;
  int64_t groups = 0;
  // Routines with taps (see below) take the groups of a row from several places, tap_groups from each: where those of
  // every tap begin, in elements from the row's x. The others read one place.
  std::span<const int64_t> taps = kOnePlace;
  int64_t tap_groups = 0;
  // Taps of the panel's weights in front of those of `taps`, which these rows do without: they meet padding only. Such
  // weights, and what `scratch` holds for them, come first.
  int64_t skipped_taps = 0;
  int64_t tap_rest = 0;          // elements of every tap behind its groups, below four, for routines that take any tap
  const void* values = nullptr;  // of the panel, as PackedPanels lays them out
  const uint8_t* codes = nullptr;  // of the panel; null if dense
  // Cache lines that the panel after this one begins with. Weights come from far away, once a run, faster than a core
  // that waits for each line can ask: routines ask for these while they compute.
  const std::byte* ahead = nullptr;
  int64_t ahead_lines = 0;
  const std::byte* ahead_codes = nullptr;  // likewise of its codes
  int64_t ahead_code_lines = 0;
  TileState* tiles = nullptr;    // of the thread's part, for routines by tiles
  std::byte* scratch = nullptr;  // PanelScratchBytes(groups), 64-byte aligned
  // Rows that this panel meets in several calls, where they are more than `rows`, and whether a call before this one
  // has left what it made of the codes in the scratch. For routines with taps, which are called line by line.
  int64_t panel_rows = 0;
  bool scratch_filled = false;
  // [output of the panel] its lane, where they lie in pairs (PackedPanels::order), for routines that know of it.
  const int32_t* order = nullptr;
  int lanes = 0;  // outputs of the panel that exist, 1 to PackedPanels::kLanes
  const Epilogue* epilogue = nullptr;
  const float* bias = nullptr;  // null if the epilogue has none; else `lanes` elements
  // The residual and y start at the panel's first output and have the same pitch, in elements.
  const void* residual = nullptr;
  bool residual_bf16 = false;
  void* y = nullptr;
  bool y_bf16 = false;
  int64_t y_pitch = 0;
};
struct PanelRoutine {
  // From a function; implicit, as most routines are no more than that.
  constexpr PanelRoutine(void (*function)(const PanelTask&), bool tiles = false)  // NOLINT(google-explicit-constructor)
      : run(function), by_tiles(tiles) {}
  void (*run)(const PanelTask&);
  bool by_tiles;  // keeps tiles configured (tile_state.h) and takes several lines at once
};

// Asks for the biases, or scales, of a panel's outputs while the panel before it is computed.
inline void PrefetchLanes(const float* of_outputs) {
  __builtin_prefetch(of_outputs);
  __builtin_prefetch(of_outputs + 16);
}

// Room for the codes of a panel widened to 32 bits for each pair of lanes.
constexpr size_t PanelScratchBytes(int64_t groups) {
  return static_cast<size_t>(groups) * 64;
}

void PanelF32Avx2(const PanelTask& task);     // has taps, of any length
void PanelF32Avx512(const PanelTask& task);   // has taps, of any length
void PanelBf16Avx512(const PanelTask& task);  // has taps; needs AVX512_BF16
extern const PanelRoutine kPanelBf16Amx;      // has taps; needs AMX
extern const PanelRoutine kPanel24Bf16Amx;    // needs AMX; knows of pairs
// bf16 to f32; a RowConversion.
void WidenBf16Avx512(const void* x, int64_t count, void* to);
void Panel24F32Reference(const PanelTask& task);
void Panel24Bf16Reference(const PanelTask& task);
void Panel24F32Avx2(const PanelTask& task);
void Panel24F32Avx512(const PanelTask& task);   // knows of pairs
void Panel24Bf16Avx512(const PanelTask& task);  // has taps; needs AVX512_BF16; knows of pairs

}  // namespace tamis
