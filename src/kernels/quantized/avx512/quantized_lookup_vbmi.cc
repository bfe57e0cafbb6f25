// QuantizedLookup: by permutations of bytes.
#include "src/kernels/quantized/lookup_kernel.h"

namespace tamis {

extern const KernelDef kernel_quantized_lookup_vbmi;
const KernelDef kernel_quantized_lookup_vbmi = {
    .name = "quantized_lookup_vbmi",
    .family = "quantized",
    .ops = {"QuantizedLookup"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vbmi,
    .supports = SupportsLookup,
    .cost = [](const Problem& problem) { return LookupCost(problem, 0.2); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareLookup(problem, LookupVbmi); },
    .in_place = 0b1,
};

}  // namespace tamis
