// Linear in bf16 with a 2:4 weight: outputs across the lanes, two vectors of them a tile, up to twelve rows.
//
// For a group of four inputs, 8 bytes are broadcast, vpermw gives each 32-bit lane the two that its own output keeps, and
// vdpbf16ps multiplies them by the packed pair. Because the broadcast repeats every four words, vpermw reads a position
// modulo four: the code itself, a | b << 2, is the index of the low word, and the code shifted by 14 puts b at the
// bottom of the high word. So codes cost a load, two shifts and an OR for 2 x 32 indices, and need no scratch.
#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm24.h"

namespace tamis {
namespace {

constexpr int kTallest = 12;

template <int kRows>
[[gnu::noinline]] void Tile(const uint16_t* x, int64_t pitch, int64_t groups, const uint16_t* values,
                            const uint8_t* codes, float* sums) {
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; ++g) {
    const __m512i code = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
    const __m512i pick0 = _mm512_or_si512(code, _mm512_slli_epi32(code, 14));
    const __m512i pick1 = _mm512_srli_epi32(pick0, 4);
    const auto w0 = (__m512bh)_mm512_load_si512(values);
    const auto w1 = (__m512bh)_mm512_load_si512(values + 32);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      long long four;  // NOLINT(google-runtime-int): the intrinsic's type
      std::memcpy(&four, x + r * pitch, sizeof(four));
      const __m512i all = _mm512_set1_epi64(four);
      acc[r][0] = _mm512_dpbf16_ps(acc[r][0], (__m512bh)_mm512_permutexvar_epi16(pick0, all), w0);
      acc[r][1] = _mm512_dpbf16_ps(acc[r][1], (__m512bh)_mm512_permutexvar_epi16(pick1, all), w1);
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

using TileFunction = void (*)(const uint16_t*, int64_t, int64_t, const uint16_t*, const uint8_t*, float*);
constexpr TileFunction kTiles[kTallest] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>,  Tile<5>,  Tile<6>,
                                           Tile<7>, Tile<8>, Tile<9>, Tile<10>, Tile<11>, Tile<12>};

}  // namespace

void Panel24Bf16Avx512(const Panel24Task& task) {
  alignas(64) float sums[kTallest * Packed24::kLanes];
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    kTiles[rows - 1](static_cast<const uint16_t*>(task.x) + row * task.x_pitch, task.x_pitch, task.groups,
                     static_cast<const uint16_t*>(task.values), task.codes, sums);
    Finish(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm24_bf16_avx512;
const KernelDef kernel_gemm24_bf16_avx512 = {
    .name = "gemm24_bf16_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports = [](const Problem& problem) { return Gemm24Supported(problem, DType::kBFloat16); },
    .cost = [](const Problem& problem) { return Gemm24Cost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemm24(problem, cache, Panel24Bf16Avx512); },
};

}  // namespace tamis
