// Linear in f32 with a dense weight: two vectors of outputs and up to eight rows a tile. What it has over a library is
// the epilogue, which runs on a tile's sums while they are in the cache, with a cheaper GELU.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 8;
constexpr DType kDType = DType::kFloat32;

template <int kRows>
[[gnu::noinline]] void Tile(const float* x, int64_t pitch, int64_t groups, const float* values, float* sums,
                            LinesAhead ahead) {
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (int64_t group = 0; group < groups; ++group) {
    if constexpr (kRows > kFewRows) ahead.Step();
      // Not unrolled: so many addresses would not fit the registers.
#pragma GCC unroll 1
    for (int k = 0; k < 4; ++k) {
      if constexpr (kRows <= kFewRows) PrefetchWeight(values, 128);
      const __m512 w0 = _mm512_load_ps(values);
      const __m512 w1 = _mm512_load_ps(values + 16);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512 all = _mm512_set1_ps(x[r * pitch]);
        acc[r][0] = _mm512_fmadd_ps(all, w0, acc[r][0]);
        acc[r][1] = _mm512_fmadd_ps(all, w1, acc[r][1]);
      }
      x += 1;
      values += 32;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(sums + r * PackedPanels::kLanes, acc[r][0]);
    _mm512_store_ps(sums + r * PackedPanels::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const float*, int64_t, int64_t, const float*, float*, LinesAhead);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>, Tile<5>, Tile<6>, Tile<7>, Tile<8>};

}  // namespace

void PanelF32Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    kTiles[rows - 1](static_cast<const float*>(task.x) + row * task.x_pitch, task.x_pitch, task.groups,
                     static_cast<const float*>(task.values), sums, LinesAhead(task, row, rows));
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
