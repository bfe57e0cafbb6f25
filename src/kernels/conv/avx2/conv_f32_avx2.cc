// ChannelsLastConv in f32 with a dense weight: the panel routine of gemm_f32_avx2 over taps that read x where it lies.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_f32_avx2;
const KernelDef kernel_conv_f32_avx2 = {
    .name = "conv_f32_avx2",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kFloat32, Pattern::kDense); },
    .cost = [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx2, Pattern::kDense, Taps::kAny); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kDense, PanelF32Avx2, Taps::kAny);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
