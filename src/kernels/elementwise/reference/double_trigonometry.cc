// More operators of double_math: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_double_math;

extern const KernelDef kernel_double_trigonometry = {
    .name = "double_trigonometry",
    .family = "elementwise",
    .ops = {"Sin", "Cos", "Tan", "Asin", "Acos", "Atan"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_double_math.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_double_math.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_double_math.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
