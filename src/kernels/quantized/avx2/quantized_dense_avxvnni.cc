// int8 products with a dense weight for processors with VNNI in 256 bits only.
#include "src/kernels/quantized/avx2/vnni_dot.h"

namespace tamis {
namespace {

constexpr Int8Routine kRoutine = {.sparse = false, .run = RunTiles<VnniDot, false>};

}  // namespace

extern const KernelDef kernel_quantized_dense_avxvnni;
const KernelDef kernel_quantized_dense_avxvnni = {
    .name = "quantized_dense_avxvnni",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx2,
    .feature = CpuFeature::kAvxVnni,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, false); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx2, 0.6); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kRoutine); },
};

}  // namespace tamis
