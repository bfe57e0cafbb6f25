#include "src/kernels/depthwise/depthwise_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_depthwise_sse2 = {
    .name = "depthwise_sse2",
    .family = "depthwise",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kX86_64,
    .supports = SupportsDepthwise,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, DepthwiseFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareDepthwise(problem, cache, Convolve); },
};

}  // namespace tamis
