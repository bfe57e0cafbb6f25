#include "src/kernels/norm/channel_norm_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_channel_norm_sse2 = {
    .name = "channel_norm_sse2",
    .family = "norm",
    .ops = {"InstanceNormalization", "GroupNormalization", "BatchNormalization"},
    .isa = Isa::kX86_64,
    .supports = SupportsChannelNorm,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, NormFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareChannelNorm(problem, ChannelNorm); },
    .in_place = 0b1,
};

}  // namespace tamis
