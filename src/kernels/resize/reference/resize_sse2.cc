#include "src/kernels/operand_check.h"
#include "src/kernels/resize/resize_body.h"

namespace tamis {

extern const KernelDef kernel_resize_sse2 = {
    .name = "resize_sse2",
    .family = "resize",
    .ops = {"Resize", "Upsample"},
    .isa = Isa::kX86_64,
    .supports = SupportsResize,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, ResizeFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareResize(problem, ResizeRows); },
};

}  // namespace tamis
