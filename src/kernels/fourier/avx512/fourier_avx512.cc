#include "src/kernels/fourier/fourier_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_fourier_avx512 = {
    .name = "fourier_avx512",
    .family = "fourier",
    .ops = {"DFT", "STFT"},
    .isa = Isa::kAvx512,
    .supports = SupportsFourier,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, FourierFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareFourier(problem, FourierSignals); },
};

}  // namespace tamis
