// QuantizedLookup: by sixteen byte shuffles.
#include "src/kernels/quantized/lookup_kernel.h"

namespace tamis {

extern const KernelDef kernel_quantized_lookup_avx2;
const KernelDef kernel_quantized_lookup_avx2 = {
    .name = "quantized_lookup_avx2",
    .family = "quantized",
    .ops = {"QuantizedLookup"},
    .isa = Isa::kAvx2,
    .supports = SupportsLookup,
    .cost = [](const Problem& problem) { return LookupCost(problem, 0.7); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareLookup(problem, LookupAvx2); },
    .in_place = 0b1,
};

}  // namespace tamis
