#include "src/kernels/operand_check.h"
#include "src/kernels/quantized/max_pool_codes_body.h"

namespace tamis {

extern const KernelDef kernel_max_pool_codes_avx2 = {
    .name = "max_pool_codes_avx2",
    .family = "quantized",
    .ops = {"ChannelsLastMaxPool"},
    .isa = Isa::kAvx2,
    .supports = SupportsMaxPoolCodes,
    .cost =
        [](const Problem& problem) {
          return PredictSeconds(problem, Isa::kAvx2, static_cast<double>(Elements(problem.outputs[0])));
        },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareMaxPoolCodes(problem, MaxPoolCodes); },
};

}  // namespace tamis
