// Linear in f32 with a 2:4 weight for AVX2: one panel as two halves of two vectors each, up to four rows.
//
// A group of four inputs is broadcast to both halves of a vector, vpermilps gives each lane the input that its own
// output keeps, and an FMA multiplies it by the packed value; twice, once for each kept one. vpermilps reads two bits
// of its index, so a widened code shifted by 0, 2, 4 and 6 serves lane i and lane i + 16.
#include <immintrin.h>

#include "src/kernels/gemm/avx2/finish_avx2.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 4;

// Lanes 8 h to 8 h + 7 and sixteen further, for h = 0 or 1: the two vectors whose codes share bytes.
template <int kRows>
[[gnu::noinline]] void Tile(const float* x, int64_t pitch, int64_t groups, const float* values, const uint8_t* codes,
                            float* sums) {
  __m256 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    const __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
    const __m256i b0 = _mm256_srli_epi32(code, 2);
    const __m256i a1 = _mm256_srli_epi32(code, 4);
    const __m256i b1 = _mm256_srli_epi32(code, 6);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m256 four = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(x + r * pitch));
      acc[r][0] = _mm256_fmadd_ps(_mm256_permutevar_ps(four, code), _mm256_load_ps(values), acc[r][0]);
      acc[r][1] = _mm256_fmadd_ps(_mm256_permutevar_ps(four, a1), _mm256_load_ps(values + 16), acc[r][1]);
      acc[r][0] = _mm256_fmadd_ps(_mm256_permutevar_ps(four, b0), _mm256_load_ps(values + 32), acc[r][0]);
      acc[r][1] = _mm256_fmadd_ps(_mm256_permutevar_ps(four, b1), _mm256_load_ps(values + 48), acc[r][1]);
    }
    x += 4;
    values += 64;
    codes += 16;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_ps(sums + r * PackedPanels::kLanes, acc[r][0]);
    _mm256_store_ps(sums + r * PackedPanels::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const float*, int64_t, int64_t, const float*, const uint8_t*, float*);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>};

}  // namespace

void Panel24F32Avx2(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  const int64_t tiles = (task.rows + kTallest - 1) / kTallest;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t row = task.rows * i / tiles;
    const int rows = static_cast<int>(task.rows * (i + 1) / tiles - row);
    const float* x = static_cast<const float*>(task.x) + row * task.x_pitch;
    for (int half = 0; half < 2; ++half) {
      kTiles[rows - 1](x, task.x_pitch, task.groups, static_cast<const float*>(task.values) + half * 8,
                       task.codes + half * 8, sums + half * 8);
    }
    Finish(task, row, rows, sums);
  }
}

extern const KernelDef kernel_gemm24_f32_avx2;
const KernelDef kernel_gemm24_f32_avx2 = {
    .name = "gemm24_f32_avx2",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kFloat32, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx2, Pattern::kTwoFour); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmPanels(problem, cache, Pattern::kTwoFour, Panel24F32Avx2); },
};

}  // namespace tamis
