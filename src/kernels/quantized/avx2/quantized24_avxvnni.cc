// int8 products with a 2:4 weight for processors with VNNI in 256 bits only: vpshufb picks the kept ones of eight
// inputs, vpdpbusd adds four products.
#include "src/kernels/quantized/avx2/vnni_dot.h"

namespace tamis {
namespace {

constexpr Int8Routine kRoutine = {.sparse = true, .widen = WidenCodes, .run = RunTiles<VnniDot, true>};

}  // namespace

extern const KernelDef kernel_quantized24_avxvnni;
const KernelDef kernel_quantized24_avxvnni = {
    .name = "quantized24_avxvnni",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx2,
    .feature = CpuFeature::kAvxVnni,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, true); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx2, 0.55); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kRoutine); },
};

}  // namespace tamis
