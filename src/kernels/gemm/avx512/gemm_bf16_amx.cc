// Linear in bf16 with a dense weight by tiles: 32 inputs an instruction. The weight is packed as for gemm_bf16_avx512,
// and the epilogue is the same.
#include "src/kernels/gemm/avx512/amx_tiles.h"
#include "src/kernels/gemm/avx512/tile_finish.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

using Bf16Product = TileProduct<AmxTiles<TileType::kBf16>>;

// Rows [row, row + kRows) of y, whose activation only bounds.
template <int kRows>
[[gnu::noinline]] void WriteBounded(const TileFinish& finish, int64_t row, const float* sums) {
  __m512 loaded[kRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    loaded[r][0] = _mm512_load_ps(sums + r * PackedPanels::kLanes);
    loaded[r][1] = _mm512_load_ps(sums + r * PackedPanels::kLanes + 16);
  }
  finish.Write<true>(row, loaded);
}

[[gnu::noinline]] void FinishSome(const PanelTask& task, const TileFinish* finish, int64_t row, int rows,
                                  const float* sums) {
  static_assert(Bf16Product::kFinishedRows == 4);
  constexpr void (*kWrite[])(const TileFinish&, int64_t, const float*) = {WriteBounded<1>, WriteBounded<2>,
                                                                          WriteBounded<3>, WriteBounded<4>};
  if (finish != nullptr) return kWrite[rows - 1](*finish, row, sums);
  Finish<true>(task, row, rows, sums);
}

void MultiplyPanel(const PanelTask& task) {
  constexpr int64_t kElement = sizeof(uint16_t);
  const int64_t tap_steps = task.tap_groups * 2;
  const std::byte* const weights = static_cast<const std::byte*>(task.values);
  Bf16Product product({.x = static_cast<const std::byte*>(task.x),
                       .pitch = task.x_pitch * kElement,
                       .line_rows = task.line_rows,
                       .line_pitch = task.line_pitch * kElement,
                       .taps = task.taps,
                       .element = kElement,
                       .tap_steps = tap_steps,
                       .weights = weights + task.skipped_taps * tap_steps * kStepBytes},
                      task.tiles);
  const auto bounded = TileFinish::Of(task);
  const TileFinish* const finish = bounded ? &*bounded : nullptr;
  product.Run(task.rows, SharedLines(task), [&](int64_t row, int rows, const std::byte* sums) {
    FinishSome(task, finish, row, rows, reinterpret_cast<const float*>(sums));
  });
}

}  // namespace

const PanelRoutine kPanelBf16Amx = {MultiplyPanel, /*tiles=*/true};

extern const KernelDef kernel_gemm_bf16_amx;
const KernelDef kernel_gemm_bf16_amx = {
    .name = "gemm_bf16_amx",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = [](const Problem& problem) { return GemmPanelsSupported(problem, DType::kBFloat16, Pattern::kDense); },
    .cost = GemmTilesCost,
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareGemmPanels(problem, cache, Pattern::kDense, kPanelBf16Amx); },
    .in_place = kOverResidual,
};

}  // namespace tamis
