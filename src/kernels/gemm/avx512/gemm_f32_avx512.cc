// Linear in f32 with a dense weight: one or two vectors of outputs and up to fourteen rows a tile. What it has over a
// library is the epilogue: sums that are only bounded go to y from their registers, others while they are in the cache,
// with a cheaper GELU.
#include <immintrin.h>

#include <array>
#include <utility>

#include "src/kernels/activation_bounds.h"
#include "src/kernels/gemm/avx512/epilogue_avx512.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

constexpr int kTallest = 14;
constexpr DType kDType = DType::kFloat32;

struct Operands {
  const float* x;
  int64_t pitch;
  std::span<const int64_t> taps;
  int64_t tap_groups, tap_rest;
  const float* values;
  float* sums;
  // Of a tile that stores its results itself. Rows of the residual (may be null) and y have one pitch.
  const float* bias = nullptr;
  const float* residual = nullptr;
  float* y = nullptr;
  int64_t y_pitch = 0;
  __mmask16 mask[2] = {};
  ActivationBounds bounds = {};
};

// kVectors: of 16 outputs. kStores: results go to y, bounded; otherwise sums to `sums`.
template <int kVectors, bool kStores, int kRows>
[[gnu::noinline]] void Tile(const Operands& o, LinesAhead ahead) {
  // Three rows an address: those at one and two pitches from it cost nothing.
  constexpr int kBases = (kRows + 2) / 3;
  const int64_t pitch = o.pitch;
  const float* values = o.values;
  __m512 acc[kRows][kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const bool biased = kStores && o.bias != nullptr;
    const __m512 start = biased ? _mm512_maskz_loadu_ps(o.mask[v], o.bias + v * 16) : _mm512_setzero_ps();
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) acc[r][v] = start;
  }
  for (const int64_t tap : o.taps) {
    const float* base[kBases];
    for (int b = 0; b < kBases; ++b) base[b] = o.x + tap + 3 * b * pitch;
    for (int64_t group = 0; group < o.tap_groups; ++group) {
      if constexpr (kRows > kFewRows) ahead.Step();
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        if constexpr (kRows <= kFewRows) PrefetchWeight(values + k * 32, 128);
        __m512 weight[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) weight[v] = _mm512_load_ps(values + k * 32 + v * 16);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          const __m512 all = _mm512_set1_ps(base[r / 3][r % 3 * pitch + k]);
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_fmadd_ps(all, weight[v], acc[r][v]);
        }
      }
      values += 128;
#pragma GCC unroll 8
      for (int b = 0; b < kBases; ++b) {
        base[b] += 4;
        asm("" : "+r"(base[b]));  // or one address a row is kept, more than there are registers
      }
    }
    for (int64_t k = 0; k < o.tap_rest; ++k, values += 32) {
      __m512 weight[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) weight[v] = _mm512_load_ps(values + v * 16);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512 all = _mm512_set1_ps(base[r / 3][r % 3 * pitch]);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm512_fmadd_ps(all, weight[v], acc[r][v]);
      }
#pragma GCC unroll 8
      for (int b = 0; b < kBases; ++b) {
        ++base[b];
        asm("" : "+r"(base[b]));
      }
    }
  }
  if constexpr (!kStores) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) _mm512_store_ps(o.sums + r * PackedPanels::kLanes + v * 16, acc[r][v]);
    }
    return;
  }
  const __m512 low = _mm512_set1_ps(o.bounds.low), high = _mm512_set1_ps(o.bounds.high);
  const float* residual = o.residual;
  float* y = o.y;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      __m512 sum = acc[r][v];
      if (residual != nullptr) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(o.mask[v], residual + v * 16));
      _mm512_mask_storeu_ps(y + v * 16, o.mask[v], _mm512_min_ps(high, _mm512_max_ps(low, sum)));  // keeps a NaN
    }
    if (residual != nullptr) residual += o.y_pitch;
    y += o.y_pitch;
  }
}

using TileFunction = void (*)(const Operands&, LinesAhead);
template <int kVectors, bool kStores, int... kLess>
constexpr std::array<TileFunction, kTallest> Tiles(std::integer_sequence<int, kLess...> /*rows*/) {
  return {Tile<kVectors, kStores, kLess + 1>...};
}
template <int kVectors, bool kStores>
constexpr std::array<TileFunction, kTallest> kTiles =
    Tiles<kVectors, kStores>(std::make_integer_sequence<int, kTallest>());

}  // namespace

void PanelF32Avx512(const PanelTask& task) {
  alignas(64) float sums[kTallest * PackedPanels::kLanes];
  Operands operands = {.x = nullptr,
                       .pitch = task.x_pitch,
                       .taps = task.taps,
                       .tap_groups = task.tap_groups,
                       .tap_rest = task.tap_rest,
                       .values = static_cast<const float*>(task.values) +
                                 task.skipped_taps * (task.tap_groups * 4 + task.tap_rest) * PackedPanels::kLanes,
                       .sums = sums};
  const auto bounds = BoundsOf(*task.epilogue);
  const bool stores = bounds && !task.y_bf16 && !(task.residual != nullptr && task.residual_bf16);
  const bool half = task.lanes <= 16;
  const auto* const residual = static_cast<const float*>(task.residual);
  if (stores) {
    operands.bias = task.bias;
    operands.y_pitch = task.y_pitch;
    operands.mask[0] = MaskOfLanes(task.lanes);
    operands.mask[1] = MaskOfLanes(task.lanes - 16);
    operands.bounds = *bounds;
  }
  const auto& tiles = stores ? (half ? kTiles<1, true> : kTiles<2, true>) : half ? kTiles<1, false> : kTiles<2, false>;
  SharedLines lines(task);
  ForEachTile(task.rows, kTallest, [&](int64_t row, int rows) {
    operands.x = static_cast<const float*>(task.x) + row * task.x_pitch;
    if (stores) {
      operands.y = static_cast<float*>(task.y) + row * task.y_pitch;
      if (residual != nullptr) operands.residual = residual + row * task.y_pitch;
    }
    tiles[static_cast<size_t>(rows - 1)](operands, lines.Take(rows, task.groups));
    if (!stores) Finish<false>(task, row, rows, sums);
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
    .in_place = kOverResidual,
};

}  // namespace tamis
