// More operators of unary_sse2: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_unary_sse2;

extern const KernelDef kernel_rounding_sse2 = {
    .name = "rounding_sse2",
    .family = "elementwise",
    .ops = {"Floor", "Ceil", "Round", "Sign", "Shrink"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_unary_sse2.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_unary_sse2.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_unary_sse2.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
