// Linear in bf16 with a dense weight by tiles: 32 inputs an instruction. The weight is packed as for gemm_bf16_avx512,
// and the epilogue is the same.
#include "src/kernels/gemm/avx512/amx_finish.h"
#include "src/kernels/gemm/avx512/amx_tiles.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

using Bf16Product = TileProduct<AmxTiles<TileType::kBf16>>;

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
                       .tap_steps = tap_steps},
                      task.tiles, weights + task.skipped_taps * tap_steps * kStepBytes);
  RunAndFinish(task, &product);
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
