#include "src/kernels/chain/chain_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_chain_avx512 = {
    .name = "chain_avx512",
    .family = "chain",
    .ops = {"ElementwiseChain"},
    .isa = Isa::kAvx512,
    .supports = SupportsChain,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, ChainFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareChain(problem, Chain); },
    .in_place = 0b111,
};

}  // namespace tamis
