#include "src/kernels/quantized/avx512/int8_dense_avx512.h"

namespace tamis {

const Int8Routine kInt8DenseAvx512 = kRoutine;

extern const KernelDef kernel_quantized_dense_avx512;
const KernelDef kernel_quantized_dense_avx512 = {
    .name = "quantized_dense_avx512",
    .family = "quantized",
    .ops = {"QuantizedLinear", "QuantizedConv", "DynamicQuantizedLinear"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = [](const Problem& problem) { return Int8PanelsSupported(problem, false); },
    .cost = [](const Problem& problem) { return Int8PanelsCost(problem, Isa::kAvx512, 0.45); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return PrepareInt8Panels(problem, cache, Cpu().avx512_vbmi ? kInt8DenseVbmi : kInt8DenseAvx512);
        },
};

}  // namespace tamis
