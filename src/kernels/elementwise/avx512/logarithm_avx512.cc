// More operators of unary_avx512: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_unary_avx512;

extern const KernelDef kernel_logarithm_avx512 = {
    .name = "logarithm_avx512",
    .family = "elementwise",
    .ops = {"Log", "Sin", "Cos", "Atan"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return kernel_unary_avx512.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_unary_avx512.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_unary_avx512.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
