// ChannelsLastConv of one tap in bf16 with a 2:4 weight and few pixels: the panel routine of gemm24_bf16_amx.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv24_bf16_amx;
const KernelDef kernel_conv24_bf16_amx = {
    .name = "conv24_bf16_amx",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = ExpandedConvSupported,
    .cost = ExpandedConvCost,
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kTwoFour, kPanel24Bf16Amx, Taps::kNone, LaneOrder::kPairs);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
