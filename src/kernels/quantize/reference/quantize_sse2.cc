#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/quantize_body.h"

namespace tamis {

const QuantizeBodies kQuantizeBodiesSse2 = kQuantizeBodies;

extern const KernelDef kernel_quantize_sse2 = {
    .name = "quantize_sse2",
    .family = "quantize",
    .ops = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"},
    .isa = Isa::kX86_64,
    .supports = SupportsQuantize,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareQuantize(problem, kQuantizeBodies); },
};

}  // namespace tamis
