// More operators of reduce_avx512: a definition names six.
#include "src/kernels/kernel.h"

namespace tamis {

extern const KernelDef kernel_reduce_avx512;

extern const KernelDef kernel_reduce_other_avx512 = {
    .name = "reduce_other_avx512",
    .family = "reduce",
    .ops = {"ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"},
    .isa = Isa::kAvx512,
    .supports = [](const Problem& problem) { return kernel_reduce_avx512.supports(problem); },
    .cost = [](const Problem& problem) { return kernel_reduce_avx512.cost(problem); },
    .prepare = [](const Problem& problem, PackCache& cache) { return kernel_reduce_avx512.prepare(problem, cache); },
};

}  // namespace tamis
