// More operators of unary_typed: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_unary_typed;

extern const KernelDef kernel_shrink_typed = {
    .name = "shrink_typed",
    .family = "elementwise",
    .ops = {"Shrink"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_unary_typed.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_unary_typed.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_unary_typed.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
