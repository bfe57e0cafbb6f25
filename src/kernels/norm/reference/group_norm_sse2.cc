#include "src/kernels/norm/group_norm_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_group_norm_sse2 = {
    .name = "group_norm_sse2",
    .family = "norm",
    .ops = {"ChannelsLastGroupNorm"},
    .isa = Isa::kX86_64,
    .supports = SupportsGroupNorm,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, GroupNormFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareGroupNorm(problem, GroupNorm); },
};

}  // namespace tamis
