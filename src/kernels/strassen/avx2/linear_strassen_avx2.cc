// Linear and convolution of 1 x 1 in f32 by Strassen's method, for AVX2.
#include "src/kernels/gemm/avx2/activator_avx2.h"
#include "src/kernels/strassen/strassen_body.h"

namespace tamis {
namespace {
constexpr strassen::Vectors kVectors = {SumPairs, PanelF32Avx2, FinishPairs<ActivatorAvx2>};
}  // namespace

extern const KernelDef kernel_linear_strassen_avx2;
const KernelDef kernel_linear_strassen_avx2 = {
    .name = "linear_strassen_avx2",
    .family = "strassen",
    .ops = {"Linear", "ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = strassen::Supported,
    .cost = [](const Problem& problem) { return strassen::Cost(problem, Isa::kAvx2); },
    .prepare = [](const Problem& problem, PackCache& cache) { return strassen::Prepare(problem, cache, kVectors); },
    .in_place = kOverResidual,
};

}  // namespace tamis
