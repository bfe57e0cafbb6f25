#include "src/kernels/elementwise/binary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_binary_avx512 = {
    .name = "binary_avx512",
    .family = "elementwise",
    .ops = {"Add", "Sub", "Mul", "Div", "Min", "Max"},
    .isa = Isa::kAvx512,
    .supports = SupportsBinary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareBinary(problem, Binary); },
    .in_place = 0b11,
};

}  // namespace tamis
