// Linear and convolution of 1 x 1 in f32 by Strassen's method, for AVX-512.
#include "src/kernels/gemm/avx512/activator_avx512.h"
#include "src/kernels/strassen/strassen_body.h"

namespace tamis {
namespace {
constexpr strassen::Vectors kVectors = {SumPairs, PanelF32Avx512, FinishPairs<Activator512>};
}  // namespace

extern const KernelDef kernel_linear_strassen_avx512;
const KernelDef kernel_linear_strassen_avx512 = {
    .name = "linear_strassen_avx512",
    .family = "strassen",
    .ops = {"Linear", "ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = strassen::Supported,
    .cost = [](const Problem& problem) { return strassen::Cost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem, PackCache& cache) { return strassen::Prepare(problem, cache, kVectors); },
    .in_place = kOverResidual,
};

}  // namespace tamis
