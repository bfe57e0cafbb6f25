#include "src/kernels/elementwise/unary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_rectifier_avx512 = {
    .name = "rectifier_avx512",
    .family = "elementwise",
    .ops = {"Elu", "Selu", "Celu", "Softplus", "Mish", "ThresholdedRelu"},
    .isa = Isa::kAvx512,
    .supports = SupportsUnary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, UnaryFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareUnary(problem, Unary); },
    .in_place = 0b1,
};

}  // namespace tamis
