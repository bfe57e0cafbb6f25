// QuantizedConv with one filter per channel by products of 16 bits.
#include "src/kernels/quantized/avx2/depthwise_int8_avx2.h"

namespace tamis {

extern const KernelDef kernel_quantized_depthwise_avx2;
const KernelDef kernel_quantized_depthwise_avx2 = {
    .name = "quantized_depthwise_avx2",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx2,
    .supports = SupportsDepthwiseInt8,
    .cost = [](const Problem& problem) { return DepthwiseInt8Cost(problem, Isa::kAvx2, 1.5); },
    .prepare =
        [](const Problem& problem, PackCache&) {
          return PrepareDepthwiseInt8(problem, {.body = DepthwiseBodyAvx2<WideDot>, .block = 32});
        },
};

}  // namespace tamis
