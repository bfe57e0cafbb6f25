// More operators of binary_typed: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_binary_typed;

extern const KernelDef kernel_p_relu_typed = {
    .name = "p_relu_typed",
    .family = "elementwise",
    .ops = {"PRelu"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_binary_typed.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_binary_typed.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_binary_typed.prepare(problem, cache); },
    .in_place = 0b1,
};

}  // namespace tamis
