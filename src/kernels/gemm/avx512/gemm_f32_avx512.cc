// Linear in f32 with a dense weight: two vectors of outputs and up to eight rows a tile. What it has over a library is
// the epilogue, which runs on a tile's sums while they are in the cache, with a cheaper GELU.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 14;
constexpr DType kDType = DType::kFloat32;

struct Operands {
  const float* x;
  int64_t pitch;
  const int64_t* taps;
  int64_t tap_count, tap_groups;
  const float* values;
  float* sums;
};

template <int kRows>
[[gnu::noinline]] void Tile(const Operands& o, LinesAhead ahead) {
  // Three rows an address: those at one and two pitches from it cost nothing.
  constexpr int kBases = (kRows + 2) / 3;
  const int64_t pitch = o.pitch;
  const float* values = o.values;
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (int64_t tap = 0; tap < o.tap_count; ++tap) {
    const float* base[kBases];
    for (int b = 0; b < kBases; ++b) base[b] = o.x + o.taps[tap] + 3 * b * pitch;
    for (int64_t group = 0; group < o.tap_groups; ++group) {
      if constexpr (kRows > kFewRows) ahead.Step();
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        if constexpr (kRows <= kFewRows) PrefetchWeight(values + k * 32, 128);
        const __m512 w0 = _mm512_load_ps(values + k * 32);
        const __m512 w1 = _mm512_load_ps(values + k * 32 + 16);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          const __m512 all = _mm512_set1_ps(base[r / 3][r % 3 * pitch + k]);
          acc[r][0] = _mm512_fmadd_ps(all, w0, acc[r][0]);
          acc[r][1] = _mm512_fmadd_ps(all, w1, acc[r][1]);
        }
      }
      values += 128;
#pragma GCC unroll 8
      for (int b = 0; b < kBases; ++b) {
        base[b] += 4;
        asm("" : "+r"(base[b]));  // or one address a row is kept, more than there are registers
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
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>,  Tile<4>,  Tile<5>,  Tile<6>,  Tile<7>,
                                           Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>, Tile<13>, Tile<14>};

}  // namespace

void PanelF32Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  constexpr int64_t kOnePlace = 0;
  const bool taps = task.taps != nullptr;
  Operands operands = {.x = nullptr,
                       .pitch = task.x_pitch,
                       .taps = taps ? task.taps : &kOnePlace,
                       .tap_count = taps ? task.tap_count : 1,
                       .tap_groups = taps ? task.tap_groups : task.groups,
                       .values = static_cast<const float*>(task.values),
                       .sums = sums};
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    operands.x = static_cast<const float*>(task.x) + row * task.x_pitch;
    kTiles[rows - 1](operands, LinesAhead(task, row, rows));
    Finish<false>(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm_f32_avx512;
const KernelDef kernel_gemm_f32_avx512 = {
    .name = "gemm_f32_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, kDType, Pattern::kDense); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx512, Pattern::kDense); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmPanels(problem, cache, Pattern::kDense, PanelF32Avx512); },
};

}  // namespace tamis
