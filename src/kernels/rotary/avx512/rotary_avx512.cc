#include "src/kernels/operand_check.h"
#include "src/kernels/rotary/rotary_body.h"

namespace tamis {

extern const KernelDef kernel_rotary_avx512 = {
    .name = "rotary_avx512",
    .family = "rotary",
    .ops = {"Rotary"},
    .isa = Isa::kAvx512,
    .supports = SupportsRotary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, RotaryFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareRotary(problem, Rotary); },
    .in_place = 0b1,
};

}  // namespace tamis
