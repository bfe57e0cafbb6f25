#include "src/kernels/operand_check.h"
#include "src/kernels/reduce/reduce_body.h"

namespace tamis {

extern const KernelDef kernel_reduce_sse2 = {
    .name = "reduce_sse2",
    .family = "reduce",
    .ops = {"ReduceMean", "ReduceSum", "ChannelsLastGlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool",
            "GlobalLpPool"},
    .isa = Isa::kX86_64,
    .supports = SupportsReduce,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, ReduceFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareReduce(problem, Reduce); },
};

}  // namespace tamis
