#include "src/kernels/fourier/fourier_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_fourier_avx2 = {
    .name = "fourier_avx2",
    .family = "fourier",
    .ops = {"DFT", "STFT"},
    .isa = Isa::kAvx2,
    .supports = SupportsFourier,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, FourierFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareFourier(problem, FourierSignals); },
};

}  // namespace tamis
