// More operators of reduce_sse2: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_reduce_sse2;

extern const KernelDef kernel_reduce_log_sse2 = {
    .name = "reduce_log_sse2",
    .family = "reduce",
    .ops = {"ReduceLogSum", "ReduceLogSumExp"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_reduce_sse2.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_reduce_sse2.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_reduce_sse2.prepare(problem, cache); },
};

}  // namespace tamis
