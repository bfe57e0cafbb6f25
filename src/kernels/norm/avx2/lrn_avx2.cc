#include "src/kernels/norm/lrn_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_lrn_avx2 = {
    .name = "lrn_avx2",
    .family = "norm",
    .ops = {"LRN"},
    .isa = Isa::kAvx2,
    .supports = SupportsLrn,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, LrnFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareLrn(problem, Lrn); },
};

}  // namespace tamis
