// ChannelsLastConv in f32 with a dense weight: the panel routine of gemm_f32_avx512 over taps that read x where it
// lies. What it has over a library is the cut of the work: where an image has few pixels and a weight many bytes,
// threads share out the outputs, and each reads its part of the weight only.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_f32_avx512;
const KernelDef kernel_conv_f32_avx512 = {
    .name = "conv_f32_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kFloat32, Pattern::kDense); },
    .cost = [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx512, Pattern::kDense, Taps::kAny); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kDense, PanelF32Avx512, Taps::kAny);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
