#include "src/kernels/quantized/avx512/int8_sparse_avx512.h"

namespace tamis {

const Int8Routine kInt8SparseAvx512 = kRoutine;

extern const KernelDef kernel_quantized24_avx512;
const KernelDef kernel_quantized24_avx512 = {
    .name = "quantized24_avx512",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, true); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx512, Int8SparseWork()); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareInt8Panels(problem, cache, Cpu().avx512_vbmi ? kInt8SparseVbmi : kInt8SparseAvx512);
        },
};

}  // namespace tamis
