#include "src/kernels/deform/deform_conv_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_deform_conv_avx512 = {
    .name = "deform_conv_avx512",
    .family = "deform",
    .ops = {"DeformConv"},
    .isa = Isa::kAvx512,
    .supports = SupportsDeformConv,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, DeformConvFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareDeformConv(problem, DeformConv, kDeformPanel); },
};

}  // namespace tamis
