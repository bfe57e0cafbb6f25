// Linear in bf16 with a 2:4 weight: outputs across the lanes, two vectors of them a tile, up to twelve rows.
//
// For a group of four inputs, 8 bytes are broadcast, vpermw gives each 32-bit lane the two that its own output keeps,
// and vdpbf16ps multiplies them by the packed pair. Because the broadcast repeats every four words, vpermw reads a
// position modulo four: a code a | b << 2 is itself the index of the low word, and shifted by 14 puts b at the bottom
// of the high word. Widened this way, codes serve all rows from scratch; a single tile of rows widens them as it goes,
// always one group ahead, because the latency of widening would stall every group otherwise. Where outputs lie in pairs
// one vpermw serves both vectors.
#include <immintrin.h>

#include <cstring>

#include "src/kernels/gemm/avx512/tile_finish.h"
#include "src/kernels/gemm/avx512/tile_rows.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 12;

// The word indices of lanes 0 to 15; shifted right by four, those of lanes 16 to 31.
inline __m512i Widen(const uint8_t* codes) {
  const __m512i code = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(codes)));
  return _mm512_or_si512(code, _mm512_slli_epi32(code, 14));
}

struct Operands {
  const uint16_t* x;
  int64_t pitch;
  std::span<const int64_t> taps;
  int64_t tap_groups;
  const uint16_t* values;
  const uint8_t* codes;
  const std::byte* widened;
  const TileFinish* finish;  // null: sums go to `sums`
  float* sums;
};

template <int kRows, bool kWidened, bool kPaired>
[[gnu::noinline]] void Tile(const Operands& o, int64_t row, LinesAhead ahead) {
  const uint16_t* values = o.values;
  const uint8_t* codes = o.codes;
  const std::byte* widened = o.widened;
  const uint16_t* const rows = o.x + row * o.pitch;
  const int64_t pitch = o.pitch;
  __m512 acc[kRows][2];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  __m512i next = kWidened ? __m512i{} : Widen(codes);
  for (const int64_t tap : o.taps) {
    TileRows<kRows> x(rows + tap, pitch * int64_t{sizeof(uint16_t)});
    for (int64_t g = 0; g < o.tap_groups; ++g) {
      const __m512i pick0 = kWidened ? _mm512_load_si512(widened) : next;
      const __m512i pick1 = _mm512_srli_epi32(pick0, 4);
      if constexpr (kWidened) {
        widened += 64;
        ahead.Step();
      } else {
        next = Widen(codes += 16);  // the packed codes end in spare bytes
        PrefetchWeight(values, 128);
      }
      const auto w0 = (__m512bh)_mm512_load_si512(values);
      const auto w1 = (__m512bh)_mm512_load_si512(values + 32);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        long long four;  // NOLINT(google-runtime-int): the intrinsic's type
        std::memcpy(&four, x[r], sizeof(four));
        const __m512i all = _mm512_set1_epi64(four);
        const auto picked = (__m512bh)_mm512_permutexvar_epi16(pick0, all);
        acc[r][0] = _mm512_dpbf16_ps(acc[r][0], picked, w0);
        acc[r][1] = _mm512_dpbf16_ps(acc[r][1], kPaired ? picked : (__m512bh)_mm512_permutexvar_epi16(pick1, all), w1);
      }
      x.Advance(8);
      values += 64;
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
template <bool kWidened, bool kPaired>
constexpr TileFunction kTiles[kTallest] = {
    Tile<1, kWidened, kPaired>, Tile<2, kWidened, kPaired>,  Tile<3, kWidened, kPaired>,  Tile<4, kWidened, kPaired>,
    Tile<5, kWidened, kPaired>, Tile<6, kWidened, kPaired>,  Tile<7, kWidened, kPaired>,  Tile<8, kWidened, kPaired>,
    Tile<9, kWidened, kPaired>, Tile<10, kWidened, kPaired>, Tile<11, kWidened, kPaired>, Tile<12, kWidened, kPaired>};

const TileFunction* TilesFor(bool widened, bool paired) {
  if (paired) return widened ? kTiles<true, true> : kTiles<false, true>;
  return widened ? kTiles<true, false> : kTiles<false, false>;
}

}  // namespace

void Panel24Bf16Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  const bool widened = std::max(task.rows, task.panel_rows) > kTallest;
  if (widened && !task.scratch_filled) {
    for (int64_t g = 0; g < task.groups; ++g) _mm512_store_si512(task.scratch + g * 64, Widen(task.codes + g * 16));
  }
  const TileFunction* const tiles = TilesFor(widened, task.order != nullptr);
  const auto finish = TileFinish::Of(task);
  const int64_t skipped = task.skipped_taps * task.tap_groups;
  const Operands operands = {.x = static_cast<const uint16_t*>(task.x),
                             .pitch = task.x_pitch,
                             .taps = task.taps,
                             .tap_groups = task.tap_groups,
                             .values = static_cast<const uint16_t*>(task.values) + skipped * 64,
                             .codes = task.codes + skipped * 16,
                             .widened = widened ? task.scratch + skipped * 64 : nullptr,
                             .finish = finish ? &*finish : nullptr,
                             .sums = sums};
  const bool one_place = task.taps.size() == 1;
  SharedLines lines(task);
  SharedLines code_lines(task.ahead_codes, task.ahead_code_lines, task.rows);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    // Few lines of each tile, which are there when the next panel's codes are widened.
    code_lines.Take(rows, 1).Step();
    if (one_place) PrefetchRows(task, row + rows, kTallest, sizeof(uint16_t), task.groups * 8);
    tiles[rows - 1](operands, row, lines.Take(rows, task.groups));
    if (!finish) Finish<true>(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm24_bf16_avx512;
const KernelDef kernel_gemm24_bf16_avx512 = {
    .name = "gemm24_bf16_avx512",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports =
        [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kBFloat16, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx512, Pattern::kTwoFour); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareGemmPanels(problem, cache, Pattern::kTwoFour, Panel24Bf16Avx512, LaneOrder::kPairs);
        },
};

}  // namespace tamis
