#include "src/kernels/norm/channel_norm_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_channel_norm_avx2 = {
    .name = "channel_norm_avx2",
    .family = "norm",
    .ops = {"InstanceNormalization", "GroupNormalization", "BatchNormalization"},
    .isa = Isa::kAvx2,
    .supports = SupportsChannelNorm,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, NormFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareChannelNorm(problem, ChannelNorm); },
    .in_place = 0b1,
};

}  // namespace tamis
