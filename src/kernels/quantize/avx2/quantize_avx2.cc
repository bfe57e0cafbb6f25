#include "src/kernels/operand_check.h"
#include "src/kernels/quantize/quantize_body.h"

namespace tamis {

const QuantizeBodies kQuantizeBodiesAvx2 = kQuantizeBodies;

extern const KernelDef kernel_quantize_avx2 = {
    .name = "quantize_avx2",
    .family = "quantize",
    .ops = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"},
    .isa = Isa::kAvx2,
    .supports = SupportsQuantize,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareQuantize(problem, kQuantizeBodies); },
};

}  // namespace tamis
