#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/codes_body.h"

namespace tamis {

extern const KernelDef kernel_codes_avx2 = {
    .name = "codes_avx2",
    .family = "quantized",
    .ops = {"QuantizedBinary", "QuantizedGlobalAveragePool", "QuantizeLinear", "DequantizeLinear"},
    .isa = Isa::kAvx2,
    .supports = SupportsCodes,
    .cost =
        [](const Problem& problem) {
          return PredictSeconds(problem, Isa::kAvx2, 4 * static_cast<double>(Elements(problem.input(0))));
        },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareCodes(problem, Codes); },
};

}  // namespace tamis
