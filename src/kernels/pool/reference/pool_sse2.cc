#include "src/kernels/operand_check.h"
#include "src/kernels/pool/pool_body.h"

namespace tamis {

extern const KernelDef kernel_pool_sse2 = {
    .name = "pool_sse2",
    .family = "pool",
    .ops = {"ChannelsLastMaxPool", "ChannelsLastAveragePool", "MaxPool", "AveragePool"},
    .isa = Isa::kX86_64,
    .supports = SupportsPool,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, PoolFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PreparePool(problem, Pool); },
};

}  // namespace tamis
