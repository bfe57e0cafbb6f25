// Linear in f32 with a 2:4 weight: outputs across the lanes, two vectors of them a tile, up to ten rows.
//
// For a group of four inputs, 16 bytes are broadcast to every quarter of the vector, vpermilps gives each lane the input
// that its own output keeps, and an FMA multiplies it by the packed value; twice, once for each kept one. vpermilps reads
// two bits of its index, so a code shifted by 0, 2, 4 and 6 is all four index vectors of the 32 outputs.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm24.h"

namespace tamis {
namespace {

constexpr int kTallest = 10;

template <int kRows>
[[gnu::noinline]] void Tile(const float* x, int64_t pitch, int64_t groups, const float* values, const uint8_t* codes,
                            float* sums) {
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    const __m512i a0 = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
    const __m512i b0 = _mm512_srli_epi32(a0, 2);
    const __m512i a1 = _mm512_srli_epi32(a0, 4);
    const __m512i b1 = _mm512_srli_epi32(a0, 6);
    const __m512 wa0 = _mm512_load_ps(values);
    const __m512 wa1 = _mm512_load_ps(values + 16);
    const __m512 wb0 = _mm512_load_ps(values + 32);
    const __m512 wb1 = _mm512_load_ps(values + 48);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512 four = _mm512_broadcast_f32x4(_mm_loadu_ps(x + r * pitch));
      acc[r][0] = _mm512_fmadd_ps(_mm512_permutevar_ps(four, a0), wa0, acc[r][0]);
      acc[r][1] = _mm512_fmadd_ps(_mm512_permutevar_ps(four, a1), wa1, acc[r][1]);
      acc[r][0] = _mm512_fmadd_ps(_mm512_permutevar_ps(four, b0), wb0, acc[r][0]);
      acc[r][1] = _mm512_fmadd_ps(_mm512_permutevar_ps(four, b1), wb1, acc[r][1]);
    }
    x += 4;
    values += 64;
    codes += 16;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(sums + r * Packed24::kLanes, acc[r][0]);
    _mm512_store_ps(sums + r * Packed24::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const float*, int64_t, int64_t, const float*, const uint8_t*, float*);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>, Tile<5>,
                                           Tile<6>, Tile<7>, Tile<8>, Tile<9>, Tile<10>};

}  // namespace

void Panel24F32Avx512(const Panel24Task& task) {
  alignas(64) float sums[kTallest * Packed24::kLanes];
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    kTiles[rows - 1](static_cast<const float*>(task.x) + row * task.x_pitch, task.x_pitch, task.groups,
                     static_cast<const float*>(task.values), task.codes, sums);
    Finish(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm24_f32_avx512;
const KernelDef kernel_gemm24_f32_avx512 = {
    .name = "gemm24_f32_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return Gemm24Supported(problem, DType::kFloat32); },
    .cost = [](const Problem& problem) { return Gemm24Cost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareGemm24(problem, cache, Panel24F32Avx512); },
};

}  // namespace tamis
