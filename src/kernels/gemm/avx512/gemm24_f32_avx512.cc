// Linear in f32 with a 2:4 weight: outputs across the lanes, two vectors of them a tile, up to eight rows.
//
// Sixteen inputs are loaded as they lie, vpermps gives each lane the one that its own output keeps, and an FMA
// multiplies it by the packed value; twice, once for each kept one of a group. (A 16-byte broadcast before an in-lane
// vpermilps would need no index into sixteen, but on Zen 5 the broadcast itself takes a shuffle port: 0.92 of the dense
// time instead of 0.72.) Widened codes hold four indices of four bits: first and second kept one of lane i, then of
// lane i + 16; vpermps reads the lowest four bits, so shifts by 4, 8 and 12 give the others. Where
// outputs lie in pairs, what is picked for lane i serves lane i + 16 too.
#include <immintrin.h>

#include "src/kernels/gemm/avx512/tile_finish.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 8;

// The four indices of each pair of lanes, for a group that is number `group` % 4 among the sixteen inputs.
inline __m512i Widen(const uint8_t* codes, int64_t group) {
  __m512i v = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes + group * 16)));
  v = _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi32(v, 4)), _mm512_set1_epi32(0x0f0f));
  v = _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi32(v, 2)), _mm512_set1_epi32(0x3333));
  return _mm512_or_si512(v, _mm512_set1_epi32(static_cast<int>(group % 4) * 0x4444));
}

struct Operands {
  const float* x;
  int64_t pitch;
  int64_t groups;
  const float* values;
  const uint8_t* codes;
  const std::byte* widened;
  const TileFinish* finish;  // null: sums go to `sums`
  float* sums;
};

// Groups [begin, end). With kMasked only the first (groups - begin) * 4 of the sixteen inputs are read.
template <int kRows, bool kWidened, bool kPaired, bool kMasked>
[[gnu::always_inline]] inline void Accumulate(const Operands& o, int64_t row, int64_t begin, int64_t end,
                                              LinesAhead& ahead, __m512 (&acc)[kRows][2]) {
  const float* values = o.values + begin * 64;
  const int64_t pitch = o.pitch;
  const auto mask = static_cast<__mmask16>(kMasked ? (1 << ((end - begin) * 4)) - 1 : 0xffff);
  __m512i next = kWidened ? __m512i{} : Widen(o.codes, begin);
  for (int64_t g = begin; g < end; ++g) {
    const __m512i a0 = kWidened ? _mm512_load_si512(o.widened + g * 64) : next;
    const __m512i b0 = _mm512_srli_epi32(a0, 4);
    const __m512i a1 = _mm512_srli_epi32(a0, 8);
    const __m512i b1 = _mm512_srli_epi32(a0, 12);
    if constexpr (!kWidened) {
      next = Widen(o.codes, g + 1);  // the packed codes end in spare bytes
      PrefetchWeight(values, 256);
    } else {
      ahead.Step();
    }
    const __m512 wa0 = _mm512_load_ps(values);
    const __m512 wa1 = _mm512_load_ps(values + 16);
    const __m512 wb0 = _mm512_load_ps(values + 32);
    const __m512 wb1 = _mm512_load_ps(values + 48);
    const float* x = o.x + row * pitch + g / 4 * 16;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512 all = kMasked ? _mm512_maskz_loadu_ps(mask, x + r * pitch) : _mm512_loadu_ps(x + r * pitch);
      const __m512 first = _mm512_permutexvar_ps(a0, all), second = _mm512_permutexvar_ps(b0, all);
      acc[r][0] = _mm512_fmadd_ps(first, wa0, acc[r][0]);
      acc[r][1] = _mm512_fmadd_ps(kPaired ? first : _mm512_permutexvar_ps(a1, all), wa1, acc[r][1]);
      acc[r][0] = _mm512_fmadd_ps(second, wb0, acc[r][0]);
      acc[r][1] = _mm512_fmadd_ps(kPaired ? second : _mm512_permutexvar_ps(b1, all), wb1, acc[r][1]);
    }
    values += 64;
  }
}

template <int kRows, bool kWidened, bool kPaired>
[[gnu::noinline]] void Tile(const Operands& o, int64_t row, LinesAhead ahead) {
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  const int64_t whole = o.groups / 4 * 4;
  Accumulate<kRows, kWidened, kPaired, false>(o, row, 0, whole, ahead, acc);
  if (whole < o.groups) Accumulate<kRows, kWidened, kPaired, true>(o, row, whole, o.groups, ahead, acc);
  if (o.finish != nullptr) return o.finish->Write<false>(row, acc);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes, acc[r][0]);
    _mm512_store_ps(o.sums + r * PackedPanels::kLanes + 16, acc[r][1]);
  }
}

using TileFunction = void (*)(const Operands&, int64_t, LinesAhead);
template <bool kWidened, bool kPaired>
constexpr TileFunction kTiles[kTallest] = {
    Tile<1, kWidened, kPaired>, Tile<2, kWidened, kPaired>, Tile<3, kWidened, kPaired>, Tile<4, kWidened, kPaired>,
    Tile<5, kWidened, kPaired>, Tile<6, kWidened, kPaired>, Tile<7, kWidened, kPaired>, Tile<8, kWidened, kPaired>};

const TileFunction* TilesFor(bool widened, bool paired) {
  if (paired) return widened ? kTiles<true, true> : kTiles<false, true>;
  return widened ? kTiles<true, false> : kTiles<false, false>;
}

}  // namespace

void Panel24F32Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  const bool widened = task.rows > kTallest;
  if (widened) {
    for (int64_t g = 0; g < task.groups; ++g) _mm512_store_si512(task.scratch + g * 64, Widen(task.codes, g));
  }
  const TileFunction* const tiles = TilesFor(widened, task.order != nullptr);
  const auto finish = TileFinish::Of(task);
  const Operands operands = {static_cast<const float*>(task.x),
                             task.x_pitch,
                             task.groups,
                             static_cast<const float*>(task.values),
                             task.codes,
                             task.scratch,
                             finish ? &*finish : nullptr,
                             sums};
  SharedLines lines(task);
  SharedLines code_lines(task.ahead_codes, task.ahead_code_lines, task.rows);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    // Few lines of each tile, which are there when the next panel's codes are widened.
    code_lines.Take(rows, 1).Step();
    PrefetchRows(task, row + rows, kTallest, sizeof(float), task.groups * 16);
    tiles[rows - 1](operands, row, lines.Take(rows, task.groups));
    if (!finish) Finish<false>(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm24_f32_avx512;
const KernelDef kernel_gemm24_f32_avx512 = {
    .name = "gemm24_f32_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kFloat32, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx512, Pattern::kTwoFour); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareGemmPanels(problem, cache, Pattern::kTwoFour, Panel24F32Avx512, LaneOrder::kPairs);
        },
};

}  // namespace tamis
