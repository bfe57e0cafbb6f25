#include "src/kernels/norm/lrn_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_lrn_sse2 = {
    .name = "lrn_sse2",
    .family = "norm",
    .ops = {"LRN"},
    .isa = Isa::kX86_64,
    .supports = SupportsLrn,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, LrnFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareLrn(problem, Lrn); },
};

}  // namespace tamis
