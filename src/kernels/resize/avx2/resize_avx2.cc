#include "src/kernels/operand_check.h"
#include "src/kernels/resize/resize_body.h"

namespace tamis {

extern const KernelDef kernel_resize_avx2 = {
    .name = "resize_avx2",
    .family = "resize",
    .ops = {"Resize", "Upsample"},
    .isa = Isa::kAvx2,
    .supports = SupportsResize,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, ResizeFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareResize(problem, ResizeRows); },
};

}  // namespace tamis
