// Linear in f32 with a dense weight for AVX2: one or two vectors of outputs and as many rows as twelve sums allow. What
// it has over a library is the epilogue, sums that are only bounded go to y from their registers, and that convolutions
// read x where it lies.
#include <array>
#include <utility>

#include "src/kernels/activation_bounds.h"
#include "src/kernels/gemm/avx2/finish_avx2.h"
#include "src/kernels/gemm/gemm_panels.h"
#include "src/kernels/gemm/tile_walk.h"

namespace tamis {
namespace {

constexpr int kSums = 12;                         // of sixteen registers
constexpr int64_t kPitch = PackedPanels::kLanes;  // of weights and sums
constexpr int kHalf = 16;                         // outputs of a panel that are multiplied together: a cache line
constexpr int kStepsAhead = 6;                    // of weights asked for from the second-level cache

struct Operands {
  const float* x;
  int64_t pitch;
  std::span<const int64_t> taps;
  int64_t tap_groups, tap_rest;
  const float* values;
  bool streams;  // the weights of all taps are more than stays in the first-level cache
  float* sums;
  // Of a tile that stores its results itself. Rows of the residual (may be null) and y have one pitch.
  const float* bias = nullptr;
  const float* residual = nullptr;
  float* y = nullptr;
  int64_t y_pitch = 0;
  ActivationBounds bounds = {};
};

// Element `k` of every row times its weights.
template <int kRows, int kVectors, int kBases>
TAMIS_INLINE void Multiply(const float* const (&base)[kBases], int64_t pitch, int k, const float* values,
                           Vec (&acc)[kRows][kVectors]) {
  Vec weight[kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) weight[v] = Load(values + k * kPitch + v * kLanes);
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    const Vec all = Set(base[r / 3][r % 3 * pitch + k]);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[r][v] = Fma(all, weight[v], acc[r][v]);
  }
}

template <int kBases>
TAMIS_INLINE void Advance(const float* (&base)[kBases], int elements) {
#pragma GCC unroll 4
  for (int b = 0; b < kBases; ++b) {
    base[b] += elements;
    asm("" : "+r"(base[b]));  // or one address a row is kept, more than there are registers
  }
}

// The groups of one place. Functions, not lambdas of the tile: sums that a lambda captures are stored in every step.
// kStreams: weights come from beyond the first-level cache, and half of the lines that the hardware asks for are those
// of the panel's other half.
template <bool kStreams, int kRows, int kVectors, int kBases>
TAMIS_INLINE const float* MultiplyGroups(const float* (&base)[kBases], int64_t pitch, int64_t groups,
                                         const float* values, LinesAhead& ahead, Vec (&acc)[kRows][kVectors]) {
  for (int64_t group = 0; group < groups; ++group) {
    if constexpr (kRows > kFewRows) ahead.Step();
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      if constexpr (kRows <= kFewRows) {
        PrefetchWeight(values + k * kPitch, kHalf * sizeof(float));
      } else if constexpr (kStreams) {
        _mm_prefetch(values + (k + kStepsAhead) * kPitch, _MM_HINT_T0);
      }
      Multiply(base, pitch, k, values, acc);
    }
    values += 4 * kPitch;
    Advance(base, 4);
  }
  return values;
}

// kStores: results go to y, bounded; otherwise sums to `sums`.
template <int kVectors, bool kStores, int kRows>
[[gnu::noinline]] void Tile(const Operands& o, LinesAhead ahead) {
  // Three rows an address: those at one and two pitches from it cost nothing.
  constexpr int kBases = (kRows + 2) / 3;
  const int64_t pitch = o.pitch;
  const float* values = o.values;
  Vec acc[kRows][kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const Vec start = kStores && o.bias != nullptr ? Load(o.bias + v * kLanes) : Set(0);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) acc[r][v] = start;
  }
  const bool streams = o.streams && kRows > kFewRows;
  for (const int64_t tap : o.taps) {
    const float* base[kBases];
    for (int b = 0; b < kBases; ++b) base[b] = o.x + tap + 3 * b * pitch;
    values = streams ? MultiplyGroups<true>(base, pitch, o.tap_groups, values, ahead, acc)
                     : MultiplyGroups<false>(base, pitch, o.tap_groups, values, ahead, acc);
    for (int64_t k = 0; k < o.tap_rest; ++k) {
      Multiply(base, pitch, 0, values, acc);
      values += kPitch;
      Advance(base, 1);
    }
  }
  if constexpr (!kStores) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) Store(o.sums + r * kPitch + v * kLanes, acc[r][v]);
    }
    return;
  }
  const Vec low = Set(o.bounds.low), high = Set(o.bounds.high);
  const float* residual = o.residual;
  float* y = o.y;
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      Vec sum = acc[r][v];
      if (residual != nullptr) sum = sum + Load(residual + v * kLanes);
      Store(y + v * kLanes, Min(high, Max(low, sum)));  // keeps a NaN
    }
    if (residual != nullptr) residual += o.y_pitch;
    y += o.y_pitch;
  }
}

using TileFunction = void (*)(const Operands&, LinesAhead);
// [rows - 1]
template <int kVectors, bool kStores, int... kLess>
constexpr std::array<TileFunction, kSums> Tiles(std::integer_sequence<int, kLess...> /*rows*/) {
  return {Tile<kVectors, kStores, kLess + 1>...};
}
template <int kVectors, bool kStores>
constexpr std::array<TileFunction, kSums> kTiles =
    Tiles<kVectors, kStores>(std::make_integer_sequence<int, kSums / kVectors>());

}  // namespace

void PanelF32Avx2(const PanelTask& task) {
  alignas(64) float sums[kSums * kPitch];
  const auto bounds = BoundsOf(*task.epilogue);
  const bool stores =
      bounds && task.lanes % kLanes == 0 && !task.y_bf16 && !(task.residual != nullptr && task.residual_bf16);
  const bool single = task.lanes <= kLanes;
  constexpr int64_t kStays = 12 << 10;  // bytes of half a panel, beside rows of x and the other half
  const bool streams = task.groups * 4 * kHalf * static_cast<int64_t>(sizeof(float)) > kStays;
  const auto* const residual = static_cast<const float*>(task.residual);
  const float* const values = static_cast<const float*>(task.values) +
                              task.skipped_taps * (task.tap_groups * 4 + task.tap_rest) * PackedPanels::kLanes;
  SharedLines lines(task);
  ForEachTile(task.rows, single ? kSums : kSums / 2, [&](int64_t row, int rows) {
    LinesAhead ahead = lines.Take(rows, task.groups);
    for (int lane = 0; lane < task.lanes; lane += kHalf) {
      Operands operands = {.x = static_cast<const float*>(task.x) + row * task.x_pitch,
                           .pitch = task.x_pitch,
                           .taps = task.taps,
                           .tap_groups = task.tap_groups,
                           .tap_rest = task.tap_rest,
                           .values = values + lane,
                           .streams = streams,
                           .sums = sums + lane};
      if (stores) {
        operands.bias = task.bias != nullptr ? task.bias + lane : nullptr;
        operands.residual = residual != nullptr ? residual + row * task.y_pitch + lane : nullptr;
        operands.y = static_cast<float*>(task.y) + row * task.y_pitch + lane;
        operands.y_pitch = task.y_pitch;
        operands.bounds = *bounds;
      }
      const bool one = task.lanes - lane <= kLanes;
      const auto& tiles = one      ? (stores ? kTiles<1, true> : kTiles<1, false>)
                          : stores ? kTiles<2, true>
                                   : kTiles<2, false>;
      tiles[static_cast<size_t>(rows - 1)](operands, ahead);
      ahead = LinesAhead(nullptr, 0, 1);
    }
    if (!stores) Finish(task, row, rows, sums);
  });
}

extern const KernelDef kernel_gemm_f32_avx2;
const KernelDef kernel_gemm_f32_avx2 = {
    .name = "gemm_f32_avx2",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kFloat32, Pattern::kDense); },
    .cost = [](const Problem& problem) { return GemmPanelsCost(problem, Isa::kAvx2, Pattern::kDense); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmPanels(problem, cache, Pattern::kDense, PanelF32Avx2); },
    .in_place = kOverResidual,
};

}  // namespace tamis
