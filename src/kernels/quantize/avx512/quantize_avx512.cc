#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/quantize_body.h"

namespace tamis {

const QuantizeBodies kQuantizeBodiesAvx512 = kQuantizeBodies;

extern const KernelDef kernel_quantize_avx512 = {
    .name = "quantize_avx512",
    .family = "quantize",
    .ops = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"},
    .isa = Isa::kAvx512,
    .supports = SupportsQuantize,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareQuantize(problem, kQuantizeBodies); },
};

}  // namespace tamis
