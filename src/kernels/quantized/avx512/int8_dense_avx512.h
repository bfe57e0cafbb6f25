// int8 products with a dense weight by VNNI: two vectors of outputs and up to fourteen rows a tile. What it has over a
// library is the epilogue, which runs on a tile's sums in their registers, and few rows.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/tile_rows.h"
#include "src/kernels/quantized/avx512/int8_store_avx512.h"

namespace tamis {
namespace {

constexpr int kTallest = 14;
constexpr int64_t kStepsAtOnce = 4;  // between requests for the next panel

template <int kRows>
[[gnu::noinline]] void Tile(const Int8Task& task, int64_t row, LinesAhead ahead, int32_t* sums) {
  const int8_t* values = task.values;
  const uint8_t* const rows = task.x + row * task.x_pitch;
  const int64_t pitch = task.x_pitch, tap_steps = task.tap_steps;
  __m512i acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = _mm512_load_si512(task.start);
    acc[r][1] = _mm512_load_si512(task.start + 16);
  }
  for (int64_t tap = 0; tap < task.tap_count; ++tap) {
    TileRows<kRows> x(rows + task.taps[tap], pitch);
    for (int64_t s = 0; s < tap_steps; ++s) {
      if constexpr (kRows <= kFewRows) {
        PrefetchWeight(values, 128);
      } else if (s % kStepsAtOnce == 0) {
        ahead.Step();
      }
      const __m512i w0 = _mm512_load_si512(values);
      const __m512i w1 = _mm512_load_si512(values + 64);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        int four;
        std::memcpy(&four, x[r], sizeof(four));
        const __m512i all = _mm512_set1_epi32(four);
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], all, w0);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], all, w1);
      }
      x.Advance(4);
      values += 128;
    }
  }
  if (CodeStore::Serves(task)) return CodeStore::Of(task).Write(task, row, acc);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_si512(sums + r * PackedInt8::kLanes, acc[r][0]);
    _mm512_store_si512(sums + r * PackedInt8::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const Int8Task&, int64_t, LinesAhead, int32_t*);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>,  Tile<4>,  Tile<5>,  Tile<6>,  Tile<7>,
                                           Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};

inline void RunTiles(const Int8Task& task) {
  alignas(64) int32_t sums[kTallest * PackedInt8::kLanes];
  const int64_t requests = task.tap_count * ((task.tap_steps + kStepsAtOnce - 1) / kStepsAtOnce);
  SharedLines lines(task.ahead, task.ahead_lines, task.rows);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    kTiles[rows - 1](task, row, lines.Take(rows, requests), sums);
    FinishTile(task, row, rows, sums);
  });
}

constexpr Int8Routine kRoutine = {.sparse = false, .begin = CodeStore::Begin, .run = RunTiles};

}  // namespace
}  // namespace tamis
