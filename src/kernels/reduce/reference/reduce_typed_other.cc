// More operators of reduce_typed: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_reduce_typed;

extern const KernelDef kernel_reduce_typed_other = {
    .name = "reduce_typed_other",
    .family = "reduce",
    .ops = {"ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "GlobalMaxPool"},
    .isa = Isa::kX86_64,
    .supports = [](const Problem& problem) { return kernel_reduce_typed.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_reduce_typed.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_reduce_typed.prepare(problem, cache); },
};

}  // namespace tamis
