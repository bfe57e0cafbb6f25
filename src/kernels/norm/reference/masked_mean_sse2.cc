#include "src/kernels/norm/masked_mean_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_masked_mean_sse2 = {
    .name = "masked_mean_sse2",
    .family = "norm",
    .ops = {"MaskedMean"},
    .isa = Isa::kX86_64,
    .supports = SupportsMaskedMean,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, NormFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareMaskedMean(problem, MaskedMean); },
};

}  // namespace tamis
