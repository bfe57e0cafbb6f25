#include "src/kernels/elementwise/unary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_cast_avx512 = {
    .name = "cast_avx512",
    .family = "elementwise",
    .ops = {"Cast", "CastLike"},
    .isa = Isa::kAvx512,
    .supports = SupportsCast,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareCast(problem, Cast); },
};

}  // namespace tamis
