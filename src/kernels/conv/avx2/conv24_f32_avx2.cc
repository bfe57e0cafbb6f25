// ChannelsLastConv in f32 with a 2:4 weight: the panel routine of gemm24_f32_avx2 over gathered pixels.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv24_f32_avx2;
const KernelDef kernel_conv24_f32_avx2 = {
    .name = "conv24_f32_avx2",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kFloat32, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kAvx2, Pattern::kTwoFour); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareConvPanels(problem, cache, Pattern::kTwoFour, Panel24F32Avx2); },
};

}  // namespace tamis
