// QuantizedConv with one filter per channel by VNNI in 256 bits.
#include "src/kernels/quantized/avx2/depthwise_int8_avx2.h"
#include "src/kernels/quantized/avx2/vnni_dot.h"

namespace tamis {

extern const KernelDef kernel_quantized_depthwise_avxvnni;
const KernelDef kernel_quantized_depthwise_avxvnni = {
    .name = "quantized_depthwise_avxvnni",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx2,
    .feature = CpuFeature::kAvxVnni,
    .supports = SupportsDepthwiseInt8,
    .cost = [](const Problem& problem) { return DepthwiseInt8Cost(problem, Isa::kAvx2, 1); },
    .prepare =
        [](const Problem& problem, PackCache&) {
          return PrepareDepthwiseInt8(problem, {.body = DepthwiseBodyAvx2<VnniDot>, .block = 32});
        },
};

}  // namespace tamis
