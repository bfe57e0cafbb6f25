#include "src/kernels/norm/norm_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_norm_avx512 = {
    .name = "norm_avx512",
    .family = "norm",
    .ops = {"LayerNormalization", "RMSNormalization", "L2Normalize", "QuantizedLayerNorm"},
    .isa = Isa::kAvx512,
    .supports = SupportsNorm,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, NormFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareNorm(problem, Norm); },
    .in_place = 0b1,
};

}  // namespace tamis
