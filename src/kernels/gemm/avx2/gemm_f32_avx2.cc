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
  ActivationBounds bounds = {};
};

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
  for (const int64_t tap : o.taps) {
    const float* base[kBases];
    for (int b = 0; b < kBases; ++b) base[b] = o.x + tap + 3 * b * pitch;
    const auto multiply = [&](int k) {
      Vec weight[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) weight[v] = Load(values + k * kPitch + v * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const Vec all = Set(base[r / 3][r % 3 * pitch + k]);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) acc[r][v] = Fma(all, weight[v], acc[r][v]);
      }
    };
    const auto advance = [&](int elements) {
      values += elements * kPitch;
#pragma GCC unroll 4
      for (int b = 0; b < kBases; ++b) {
        base[b] += elements;
        asm("" : "+r"(base[b]));  // or one address a row is kept, more than there are registers
      }
    };
    for (int64_t group = 0; group < o.tap_groups; ++group) {
      if constexpr (kRows > kFewRows) ahead.Step();
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        if constexpr (kRows <= kFewRows) PrefetchWeight(values + k * kPitch, kHalf * sizeof(float));
        multiply(k);
      }
      advance(4);
    }
    for (int64_t k = 0; k < o.tap_rest; ++k) {
      multiply(0);
      advance(1);
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
