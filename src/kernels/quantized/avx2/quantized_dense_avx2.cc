// int8 products with a dense weight for AVX2 without VNNI, where the library's saturate: products are of 16 bits.
#include "src/kernels/quantized/avx2/int8_wide_avx2.h"

namespace tamis {
namespace {

constexpr Int8Routine kRoutine = {.sparse = false, .run = RunWideTiles};

}  // namespace

extern const KernelDef kernel_quantized_dense_avx2;
const KernelDef kernel_quantized_dense_avx2 = {
    .name = "quantized_dense_avx2",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx2,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, false); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx2, 1.6); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareInt8Panels(problem, cache, kRoutine); },
};

}  // namespace tamis
