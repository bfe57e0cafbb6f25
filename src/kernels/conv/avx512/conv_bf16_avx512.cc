// ChannelsLastConv in bf16 with a dense weight: the panel routine of gemm_bf16_avx512 over taps that read x where it
// lies. What it has over a library is the cut of the work: where an image has few pixels and a weight many bytes,
// threads share out the outputs, and each reads its part of the weight only.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_bf16_avx512;
const KernelDef kernel_conv_bf16_avx512 = {
    .name = "conv_bf16_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kDense); },
    .cost =
        [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx512, Pattern::kDense, Taps::kGroups); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kDense, PanelBf16Avx512, Taps::kGroups);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
