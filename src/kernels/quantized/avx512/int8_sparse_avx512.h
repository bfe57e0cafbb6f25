// int8 products with a 2:4 weight by VNNI: outputs across the lanes, two vectors of them a tile, up to twelve rows.
//
// For a step of eight inputs, 8 bytes are broadcast, vpshufb gives each 32-bit lane the four that its own output keeps,
// and vpdpbusd multiplies them by the packed four. vpshufb reads bits 0 to 3 and 7 of an index, and indices are below
// eight: one vector holds those of two, the second ones in bits 4 to 6, and a shift right by four brings them down.
// Widened this way, codes serve all rows from scratch; a single tile of rows widens them as it goes, one step ahead,
// because the latency of widening would stall every step otherwise.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/tile_rows.h"
#include "src/kernels/quantized/avx512/int8_store_avx512.h"

namespace tamis {
namespace {

constexpr int kTallest = 12;
constexpr int64_t kStepsAtOnce = 2;  // between requests for the next panel

// Codes a0 | b0 << 2 | a1 << 4 | b1 << 6 of both groups to the bytes of a lane, a0 | a1 << 4 first; the second group's
// inputs are four further.
inline __m512i Widen(const uint8_t* codes) {
  const __m512i first = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
  const __m512i second = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes + 16)));
  const __m512i both = _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
  const __m512i spread = _mm512_or_si512(both, _mm512_slli_epi32(both, 6));
  constexpr int kAndOr = 0xea;  // (a & b) | c
  return _mm512_ternarylogic_epi32(spread, _mm512_set1_epi32(0x33333333), _mm512_set1_epi32(0x44440000), kAndOr);
}

void WidenCodes(const uint8_t* codes, int64_t steps, std::byte* to) {
  for (int64_t s = 0; s < steps; ++s) _mm512_store_si512(to + s * 64, Widen(codes + s * 32));
}

// kPaired: lanes i and i + 16 keep the same positions, so one shuffle serves both vectors.
template <int kRows, bool kWidened, bool kPaired>
[[gnu::noinline]] void Tile(const Int8Task& task, int64_t row, LinesAhead ahead, int32_t* sums) {
  const int8_t* values = task.values;
  const uint8_t* codes = task.codes;
  const std::byte* widened = task.widened;
  const uint8_t* const rows = task.x + row * task.x_pitch;
  const int64_t pitch = task.x_pitch, tap_steps = task.tap_steps;
  __m512i acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = _mm512_load_si512(task.start);
    acc[r][1] = _mm512_load_si512(task.start + 16);
  }
  __m512i next = kWidened ? __m512i{} : Widen(codes);
  for (int64_t tap = 0; tap < task.tap_count; ++tap) {
    TileRows<kRows> x(rows + task.taps[tap], pitch);
    for (int64_t s = 0; s < tap_steps; ++s) {
      const __m512i pick0 = kWidened ? _mm512_load_si512(widened) : next;
      const __m512i pick1 = _mm512_srli_epi32(pick0, 4);
      if constexpr (!kWidened) {
        next = Widen(codes += 32);  // the packed codes end in spare bytes
        PrefetchWeight(values, 128);
      } else if (s % kStepsAtOnce == 0) {
        ahead.Step();
      }
      const __m512i w0 = _mm512_load_si512(values);
      const __m512i w1 = _mm512_load_si512(values + 64);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        long long eight;  // NOLINT(google-runtime-int): the intrinsic's type
        std::memcpy(&eight, x[r], sizeof(eight));
        const __m512i all = _mm512_set1_epi64(eight);
        const __m512i picked = _mm512_shuffle_epi8(all, pick0);
        acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], picked, w0);
        acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], kPaired ? picked : _mm512_shuffle_epi8(all, pick1), w1);
      }
      x.Advance(8);
      values += 128;
      if constexpr (kWidened) widened += 64;
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
template <bool kWidened, bool kPaired>
constexpr TileFunction kTiles[kTallest] = {
    Tile<1, kWidened, kPaired>, Tile<2, kWidened, kPaired>,  Tile<3, kWidened, kPaired>,  Tile<4, kWidened, kPaired>,
    Tile<5, kWidened, kPaired>, Tile<6, kWidened, kPaired>,  Tile<7, kWidened, kPaired>,  Tile<8, kWidened, kPaired>,
    Tile<9, kWidened, kPaired>, Tile<10, kWidened, kPaired>, Tile<11, kWidened, kPaired>, Tile<12, kWidened, kPaired>};

inline void RunTiles(const Int8Task& task) {
  alignas(64) int32_t sums[kTallest * PackedInt8::kLanes];
  const bool widened = task.widened != nullptr;
  const auto* const tiles = task.order != nullptr ? (widened ? kTiles<true, true> : kTiles<false, true>)
                                                  : (widened ? kTiles<true, false> : kTiles<false, false>);
  const int64_t requests = task.tap_count * ((task.tap_steps + kStepsAtOnce - 1) / kStepsAtOnce);
  SharedLines lines(task.ahead, task.ahead_lines, task.rows);
  SharedLines code_lines(task.ahead_codes, task.ahead_code_lines, task.rows);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    // Few lines of each tile, which are there when the next panel's codes are widened.
    code_lines.Take(rows, 1).Step();
    tiles[rows - 1](task, row, lines.Take(rows, requests), sums);
    FinishTile(task, row, rows, sums);
  });
}

constexpr Int8Routine kRoutine = {
    .sparse = true, .inline_rows = kTallest, .widen = WidenCodes, .begin = CodeStore::Begin, .run = RunTiles};

}  // namespace
}  // namespace tamis
