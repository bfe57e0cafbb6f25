// Operands rounded to codes and multiplied by vpdpbusd: four times the rate of f32.
#include "src/kernels/attention/avx512/code_attention.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

void Body(const AttentionArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  const auto body = args.bf16_inputs ? Attend<CodeAttention<Bf16>> : Attend<CodeAttention<float>>;
  body(args, inputs, outputs, begin, end, scratch);
}

}  // namespace

extern const KernelDef kernel_attention_codes_avx512 = {
    .name = "attention_codes_avx512",
    .family = "attention",
    .ops = {"Attention"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = SupportsAttentionOfCodes,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, AttentionFlops(problem) / 3); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareAttention(problem, Body); },
};

}  // namespace tamis
