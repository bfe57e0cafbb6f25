#include "src/kernels/conv_transpose/conv_transpose_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_conv_transpose_avx512 = {
    .name = "conv_transpose_avx512",
    .family = "conv_transpose",
    .ops = {"ConvTranspose"},
    .isa = Isa::kAvx512,
    .supports = SupportsConvTranspose,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, ConvTransposeFlops(problem)); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareConvTranspose(problem, cache, ConvTransposeBlocks); },
};

}  // namespace tamis
