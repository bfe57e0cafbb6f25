// More operators of scalar_math: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_scalar_math;

extern const KernelDef kernel_scalar_math_other = {
    .name = "scalar_math_other",
    .family = "elementwise",
    .ops = {"Acosh", "Atanh"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_scalar_math.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_scalar_math.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_scalar_math.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
