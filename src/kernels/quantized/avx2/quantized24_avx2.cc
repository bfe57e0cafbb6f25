// int8 products with a 2:4 weight for AVX2 without VNNI: vpshufb picks the kept ones of eight inputs, and products are
// of 16 bits.
#include "src/kernels/quantized/avx2/int8_tile_avx2.h"

namespace tamis {
namespace {

constexpr Int8Routine kRoutine = {.sparse = true, .widen = WidenCodes, .run = RunTiles<WideDot, true>};

}  // namespace

extern const KernelDef kernel_quantized24_avx2;
const KernelDef kernel_quantized24_avx2 = {
    .name = "quantized24_avx2",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, true); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx2, 1.1); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kRoutine); },
};

}  // namespace tamis
