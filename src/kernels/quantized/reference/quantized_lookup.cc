// QuantizedLookup: one load a code from a table that stays in the first-level cache.
#include "src/kernels/quantized/lookup_kernel.h"

namespace tamis {

extern const KernelDef kernel_quantized_lookup;
const KernelDef kernel_quantized_lookup = {
    .name = "quantized_lookup",
    .family = "quantized",
    .ops = {"QuantizedLookup"},
    .isa = Isa::kX86_64,
    .supports = SupportsLookup,
    .cost = [](const Problem& problem) { return LookupCost(problem, 1); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareLookup(problem, LookupPlain); },
    .in_place = 0b1,
};

}  // namespace tamis
