#include "src/kernels/attention/attention_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

void Body(const AttentionArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  const auto body = args.bf16_inputs ? Attend<F32Attention<Bf16>> : Attend<F32Attention<float>>;
  body(args, inputs, outputs, begin, end, scratch);
}

}  // namespace

extern const KernelDef kernel_attention_sse2 = {
    .name = "attention_sse2",
    .family = "attention",
    .ops = {"Attention"},
    .isa = Isa::kX86_64,
    .supports = SupportsAttention,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, AttentionFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareAttention(problem, Body); },
};

}  // namespace tamis
