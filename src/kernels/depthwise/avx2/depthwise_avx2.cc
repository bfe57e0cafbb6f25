#include "src/kernels/depthwise/depthwise_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_depthwise_avx2 = {
    .name = "depthwise_avx2",
    .family = "depthwise",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = SupportsDepthwise,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, DepthwiseFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareDepthwise(problem, cache, Convolve); },
};

}  // namespace tamis
