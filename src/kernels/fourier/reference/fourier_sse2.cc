#include "src/kernels/fourier/fourier_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_fourier_sse2 = {
    .name = "fourier_sse2",
    .family = "fourier",
    .ops = {"DFT", "STFT"},
    .isa = Isa::kX86_64,
    .supports = SupportsFourier,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, FourierFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareFourier(problem, FourierSignals); },
};

}  // namespace tamis
