#include "src/kernels/operand_check.h"
#include "src/kernels/softmax/softmax_body.h"

namespace tamis {

extern const KernelDef kernel_softmax_avx2 = {
    .name = "softmax_avx2",
    .family = "softmax",
    .ops = {"Softmax", "LogSoftmax"},
    .isa = Isa::kAvx2,
    .supports = SupportsSoftmax,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, SoftmaxFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareSoftmax(problem, Softmax, kLanes); },
    .in_place = 0b1,
};

}  // namespace tamis
