// Linear in bf16 with a 2:4 weight and few rows, by tiles. The weight is packed as for gemm24_bf16_avx512.
#include "src/kernels/gemm/avx512/amx_finish.h"
#include "src/kernels/gemm/avx512/expanded_tiles.h"
#include "src/kernels/gemm/gemm_panels.h"

namespace tamis {
namespace {

using Weights = ExpandedWeights<TileType::kBf16>;

void MultiplyPanel(const PanelTask& task) {
  constexpr int64_t kElement = sizeof(uint16_t);
  TileProduct<AmxTiles<TileType::kBf16>, Weights> product({.x = static_cast<const std::byte*>(task.x),
                                                           .pitch = task.x_pitch * kElement,
                                                           .taps = kOnePlace,
                                                           .element = kElement,
                                                           .tap_steps = task.groups * 2},
                                                          task.tiles, task.values, task.codes, task.groups * 2);
  RunAndFinish(task, &product);
}

}  // namespace

const PanelRoutine kPanel24Bf16Amx = {MultiplyPanel, /*tiles=*/true};

extern const KernelDef kernel_gemm24_bf16_amx;
const KernelDef kernel_gemm24_bf16_amx = {
    .name = "gemm24_bf16_amx",
    .family = "gemm",
    .ops = {"Linear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = ExpandedLinearSupported,
    .cost = ExpandedLinearCost,
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareGemmPanels(problem, cache, Pattern::kTwoFour, kPanel24Bf16Amx, LaneOrder::kPairs);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
