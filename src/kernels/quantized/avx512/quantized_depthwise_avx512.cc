// QuantizedConv with one filter per channel by VNNI in 512 bits.
#include "src/kernels/quantized/avx512/depthwise_int8_avx512.h"

namespace tamis {

void DepthwiseInt8Avx512(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task) {
  DepthwiseInt8<DepthwiseAvx512>(args, task, [](__m512i codes) { return codes; });
}

extern const KernelDef kernel_quantized_depthwise_avx512;
const KernelDef kernel_quantized_depthwise_avx512 = {
    .name = "quantized_depthwise_avx512",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = SupportsDepthwiseInt8,
    .cost = [](const Problem& problem) { return DepthwiseInt8Cost(problem, Isa::kAvx512, 0.5); },
    .prepare =
        [](const Problem& problem, PackCache&) {
          const DepthwiseInt8Body with_table = Cpu().avx512_vbmi ? DepthwiseInt8Vbmi : nullptr;
          return PrepareDepthwiseInt8(
              problem, {.body = DepthwiseInt8Avx512, .block = DepthwiseAvx512::kBytes, .with_table = with_table});
        },
};

}  // namespace tamis
