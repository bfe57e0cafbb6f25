// ChannelsLastConv with a 2:4 weight, portable: the panel routines of gemm24_reference over gathered pixels.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv24_reference;
const KernelDef kernel_conv24_reference = {
    .name = "conv24_reference",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .supports =
        [](const Problem& problem) { return ConvPanelsSupported(problem, problem.input(0).dtype, Pattern::kTwoFour); },
    .cost = [](const Problem& problem) { return ConvPanelsCost(problem, Isa::kX86_64, Pattern::kTwoFour); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          const bool bf16 = problem.input(0).dtype == DType::kBFloat16;
          return PrepareConvPanels(problem, cache, Pattern::kTwoFour,
                                   bf16 ? Panel24Bf16Reference : Panel24F32Reference);
        },
};

}  // namespace tamis
