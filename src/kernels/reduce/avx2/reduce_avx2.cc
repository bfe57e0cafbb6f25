#include "src/kernels/operand_check.h"
#include "src/kernels/reduce/reduce_body.h"

namespace tamis {

extern const KernelDef kernel_reduce_avx2 = {
    .name = "reduce_avx2",
    .family = "reduce",
    .ops = {"ReduceMean", "ReduceSum", "ChannelsLastGlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool",
            "GlobalLpPool"},
    .isa = Isa::kAvx2,
    .supports = SupportsReduce,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, ReduceFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareReduce(problem, Reduce); },
};

}  // namespace tamis
