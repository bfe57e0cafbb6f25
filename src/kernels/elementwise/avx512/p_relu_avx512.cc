#include "src/kernels/elementwise/binary_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_p_relu_avx512 = {
    .name = "p_relu_avx512",
    .family = "elementwise",
    .ops = {"PRelu", "SwiGLU"},
    .isa = Isa::kAvx512,
    .supports = SupportsBinary,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, 0); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareBinary(problem, Binary); },
    .in_place = 0b1,
};

}  // namespace tamis
