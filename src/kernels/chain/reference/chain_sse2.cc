#include "src/kernels/chain/chain_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_chain_sse2 = {
    .name = "chain_sse2",
    .family = "chain",
    .ops = {"ElementwiseChain"},
    .isa = Isa::kX86_64,
    .supports = SupportsChain,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, ChainFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareChain(problem, Chain); },
    .in_place = 0b111,
};

}  // namespace tamis
