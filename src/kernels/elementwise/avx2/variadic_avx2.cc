#include "src/kernels/elementwise/binary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_variadic_avx2 = {
    .name = "variadic_avx2",
    .family = "elementwise",
    .ops = {"Sum", "Mean", "Max", "Min"},
    .isa = Isa::kAvx2,
    .supports = SupportsVariadic,
    .cost = [](const Problem& problem) { return 1e-6 + PredictSeconds(problem, Isa::kAvx2, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareVariadic(problem, Variadic); },
};

}  // namespace tamis
