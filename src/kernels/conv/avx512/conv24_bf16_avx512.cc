// ChannelsLastConv in bf16 with a 2:4 weight: the panel routine of gemm24_bf16_avx512 over taps that read x where it
// lies.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv24_bf16_avx512;
const KernelDef kernel_conv24_bf16_avx512 = {
    .name = "conv24_bf16_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports =
        [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kTwoFour); },
    .cost =
        [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx512, Pattern::kTwoFour, Taps::kGroups); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kTwoFour, Panel24Bf16Avx512, Taps::kGroups,
                                   LaneOrder::kPairs);
        },
};

}  // namespace tamis
