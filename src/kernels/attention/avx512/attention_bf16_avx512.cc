// bf16 operands multiplied in pairs (vdpbf16ps): twice the rate of f32. The instruction treats subnormals as zero.
#include "src/kernels/attention/avx512/pair_attention.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_attention_bf16_avx512 = {
    .name = "attention_bf16_avx512",
    .family = "attention",
    .ops = {"Attention"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Bf16,
    .supports = SupportsBf16Attention,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, AttentionFlops(problem) / 2); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareAttention(problem, Attend<PairAttention>); },
};

}  // namespace tamis
