// Linear in bf16 with a dense weight: two vectors of outputs and up to twelve rows a tile, two inputs a vdpbf16ps. What
// it has over a library is the epilogue, which runs on a tile's sums while they are in the cache, with a cheaper GELU.
#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
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
  float* sums;
};

template <int kRows>
[[gnu::noinline]] void Tile(const Operands& o, LinesAhead ahead) {
  const int64_t pitch = o.pitch;
  const uint16_t* values = o.values;
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (const int64_t tap : o.taps) {
    const uint16_t* x = o.x + tap;
    for (int64_t group = 0; group < o.tap_groups; ++group) {
      if constexpr (kRows > kFewRows) ahead.Step();
        // Not unrolled: so many addresses would not fit the registers.
#pragma GCC unroll 1
      for (int k = 0; k < 2; ++k) {
        if constexpr (kRows <= kFewRows) PrefetchWeight(values, 128);
        const auto w0 = (__m512bh)_mm512_load_si512(values);
        const auto w1 = (__m512bh)_mm512_load_si512(values + 32);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          // Two inputs a step: 32 bits of x to all lanes.
          int pair;
          std::memcpy(&pair, x + r * pitch, sizeof(pair));
          const auto all = (__m512bh)_mm512_set1_epi32(pair);
          acc[r][0] = _mm512_dpbf16_ps(acc[r][0], all, w0);
          acc[r][1] = _mm512_dpbf16_ps(acc[r][1], all, w1);
        }
        x += 2;
        values += 64;
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes, acc[r][0]);
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const Operands&, LinesAhead);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>,  Tile<5>,  Tile<6>,
                                           Tile<7>, Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>};

}  // namespace

void PanelBf16Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  Operands operands = {.x = nullptr,
                       .pitch = task.x_pitch,
                       .taps = task.taps,
                       .tap_groups = task.tap_groups,
                       .values = static_cast<const uint16_t*>(task.values),
                       .sums = sums};
  SharedLines lines(task);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    operands.x = static_cast<const uint16_t*>(task.x) + row * task.x_pitch;
    kTiles[rows - 1](operands, lines.Take(rows, task.groups));
    Finish<true>(task, row, rows, sums);
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
