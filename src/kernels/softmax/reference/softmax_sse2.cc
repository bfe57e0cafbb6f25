#include "src/kernels/operand_check.h"
#include "src/kernels/softmax/softmax_body.h"

namespace tamis {

extern const KernelDef kernel_softmax_sse2 = {
    .name = "softmax_sse2",
    .family = "softmax",
    .ops = {"Softmax", "LogSoftmax"},
    .isa = Isa::kX86_64,
    .supports = SupportsSoftmax,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, SoftmaxFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareSoftmax(problem, Softmax, kLanes); },
    .in_place = 0b1,
};

}  // namespace tamis
