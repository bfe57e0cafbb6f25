// ChannelsLastConv in f32 with a 2:4 weight: the panel routine of gemm24_f32_avx512 over gathered pixels.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv24_f32_avx512;
const KernelDef kernel_conv24_f32_avx512 = {
    .name = "conv24_f32_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kFloat32, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx512, Pattern::kTwoFour); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kTwoFour, Panel24F32Avx512, Taps::kNone, LaneOrder::kPairs);
        },
};

}  // namespace tamis
