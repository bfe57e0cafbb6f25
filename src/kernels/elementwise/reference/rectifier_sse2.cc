#include "src/kernels/elementwise/unary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_rectifier_sse2 = {
    .name = "rectifier_sse2",
    .family = "elementwise",
    .ops = {"Elu", "Selu", "Celu", "Softplus", "Mish", "ThresholdedRelu"},
    .isa = Isa::kX86_64,
    .supports = SupportsUnary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, UnaryFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareUnary(problem, Unary); },
    .in_place = 0b1,
};

}  // namespace tamis
