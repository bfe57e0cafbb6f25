// ChannelsLastConv in bf16 with one tap, multiplied in f32: gemm_bf16_widened_avx512 over pixels.
#include "src/kernels/conv/conv_panels.h"

namespace tamis {

extern const KernelDef kernel_conv_bf16_widened_avx512;
const KernelDef kernel_conv_bf16_widened_avx512 = {
    .name = "conv_bf16_widened_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = WidenedConvSupported,
    .cost = WidenedConvCost,
    .prepare = PrepareWidenedConv,
    .in_place = kOverResidual,
};

}  // namespace tamis
