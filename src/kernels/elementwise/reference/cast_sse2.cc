#include "src/kernels/elementwise/unary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_cast_sse2 = {
    .name = "cast_sse2",
    .family = "elementwise",
    .ops = {"Cast", "CastLike"},
    .isa = Isa::kX86_64,
    .supports = SupportsCast,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareCast(problem, Cast); },
};

}  // namespace tamis
