// More operators of reduce_avx2: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_reduce_avx2;

extern const KernelDef kernel_reduce_other_avx2 = {
    .name = "reduce_other_avx2",
    .family = "reduce",
    .ops = {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return kernel_reduce_avx2.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_reduce_avx2.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_reduce_avx2.prepare(problem, cache); },
};

}  // namespace tamis
