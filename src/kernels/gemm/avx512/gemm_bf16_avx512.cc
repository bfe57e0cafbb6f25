// Linear in bf16 with a dense weight: two vectors of outputs and up to twelve rows a tile, two inputs a vdpbf16ps. What
// it has over a library is the epilogue: sums that are only bounded go to y from their registers, others while they are
// in the cache, with a cheaper GELU.
#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/tile_finish.h"
#include "src/kernels/gemm/avx512/tile_rows.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 12;
constexpr DType kDType = DType::kBFloat16;

struct Operands {
  const uint16_t* x;
  int64_t pitch;
  std::span<const int64_t> taps;
  int64_t tap_groups;
  const uint16_t* values;
  const TileFinish* finish;  // null: sums go to `sums`
  float* sums;
};

template <int kRows>
[[gnu::noinline]] void Tile(const Operands& o, int64_t row, LinesAhead ahead) {
  const uint16_t* values = o.values;
  const uint16_t* const rows = o.x + row * o.pitch;
  const int64_t pitch = o.pitch;
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (const int64_t tap : o.taps) {
    TileRows<kRows> x(rows + tap, pitch * int64_t{sizeof(uint16_t)});
    for (int64_t group = 0; group < o.tap_groups; ++group) {
      if constexpr (kRows > kFewRows) ahead.Step();
#pragma GCC unroll 2
      for (int k = 0; k < 2; ++k) {
        if constexpr (kRows <= kFewRows) PrefetchWeight(values, 128);
        const auto w0 = (__m512bh)_mm512_load_si512(values);
        const auto w1 = (__m512bh)_mm512_load_si512(values + 32);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          // Two inputs a step: 32 bits of x to all lanes.
          int pair;
          std::memcpy(&pair, x[r] + k * 4, sizeof(pair));
          const auto all = (__m512bh)_mm512_set1_epi32(pair);
          acc[r][0] = _mm512_dpbf16_ps(acc[r][0], all, w0);
          acc[r][1] = _mm512_dpbf16_ps(acc[r][1], all, w1);
        }
        values += 64;
      }
      x.Advance(8);
    }
  }
  if (o.finish != nullptr) return o.finish->Write<true>(row, acc);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes, acc[r][0]);
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const Operands&, int64_t, LinesAhead);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>,  Tile<5>,  Tile<6>,
                                           Tile<7>, Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>};

}  // namespace

void PanelBf16Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  const auto finish = TileFinish::Of(task);
  const Operands operands = {
      .x = static_cast<const uint16_t*>(task.x),
      .pitch = task.x_pitch,
      .taps = task.taps,
      .tap_groups = task.tap_groups,
      .values = static_cast<const uint16_t*>(task.values) + task.skipped_taps * task.tap_groups * 128,
      .finish = finish ? &*finish : nullptr,
      .sums = sums};
  SharedLines lines(task);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    kTiles[rows - 1](operands, row, lines.Take(rows, task.groups));
    if (!finish) Finish<true>(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm_bf16_avx512;
const KernelDef kernel_gemm_bf16_avx512 = {
    .name = "gemm_bf16_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, kDType, Pattern::kDense); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx512, Pattern::kDense); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmPanels(problem, cache, Pattern::kDense, PanelBf16Avx512); },
    .in_place = kOverResidual,
};

}  // namespace tamis
