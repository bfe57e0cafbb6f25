// ChannelsLastConv in bf16 with a dense weight: the panel routine of gemm_bf16_amx over taps that read x where it lies.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_bf16_amx;
const KernelDef kernel_conv_bf16_amx = {
    .name = "conv_bf16_amx",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAmx,
    .supports = [](const Problem& problem) { return ConvPanelsSupported(problem, DType::kBFloat16, Pattern::kDense); },
    .cost = ConvTilesCost,
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareConvPanels(problem, cache, Pattern::kDense, kPanelBf16Amx, Taps::kGroups);
        },
    .in_place = kOverResidual,
};

}  // namespace tamis
