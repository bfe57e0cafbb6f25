#include "src/kernels/operand_check.h"
#include "src/kernels/pool/pool_body.h"

namespace tamis {

extern const KernelDef kernel_pool_avx2 = {
    .name = "pool_avx2",
    .family = "pool",
    .ops = {"ChannelsLastMaxPool", "ChannelsLastAveragePool", "MaxPool", "AveragePool"},
    .isa = Isa::kAvx2,
    .supports = SupportsPool,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, PoolFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PreparePool(problem, Pool); },
};

}  // namespace tamis
