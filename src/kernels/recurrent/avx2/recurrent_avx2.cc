#include "src/kernels/operand_check.h"
#include "src/kernels/recurrent/recurrent_body.h"

namespace tamis {

extern const KernelDef kernel_recurrent_avx2 = {
    .name = "recurrent_avx2",
    .family = "recurrent",
    .ops = {"RNN", "GRU", "LSTM"},
    .isa = Isa::kAvx2,
    .supports = SupportsRecurrent,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, RecurrentFlops(problem)); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareRecurrent(problem, cache, kRecurrentBodies); },
};

}  // namespace tamis
