#include "src/kernels/deform/deform_conv_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_deform_conv_sse2 = {
    .name = "deform_conv_sse2",
    .family = "deform",
    .ops = {"DeformConv"},
    .isa = Isa::kX86_64,
    .supports = SupportsDeformConv,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, DeformConvFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareDeformConv(problem, DeformConv, kDeformPanel); },
};

}  // namespace tamis
