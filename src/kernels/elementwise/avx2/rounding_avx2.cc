// More operators of unary_avx2: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_unary_avx2;

extern const KernelDef kernel_rounding_avx2 = {
    .name = "rounding_avx2",
    .family = "elementwise",
    .ops = {"Floor", "Ceil", "Round", "Sign", "Shrink"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return kernel_unary_avx2.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_unary_avx2.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_unary_avx2.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
