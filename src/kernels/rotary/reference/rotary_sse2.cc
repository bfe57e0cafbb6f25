#include "src/kernels/operand_check.h"
#include "src/kernels/rotary/rotary_body.h"

namespace tamis {

extern const KernelDef kernel_rotary_sse2 = {
    .name = "rotary_sse2",
    .family = "rotary",
    .ops = {"Rotary"},
    .isa = Isa::kX86_64,
    .supports = SupportsRotary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, RotaryFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareRotary(problem, Rotary); },
    .in_place = 0b1,
};

}  // namespace tamis
