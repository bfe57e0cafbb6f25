#include "src/kernels/integer/byte_product_body.h"

namespace tamis {

extern const KernelDef kernel_byte_product_avxvnni = {
    .name = "byte_product_avxvnni",
    .family = "integer",
    .ops = {"MatMulInteger", "ConvInteger"},
    .isa = Isa::kAvx2,
    .feature = CpuFeature::kAvxVnni,
    .supports = SupportsByteProduct,
    .cost = [](const Problem& problem) { return ByteProductCost(problem, Isa::kAvx2, 0.5); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareByteProduct(problem, cache, kByteProduct); },
};

}  // namespace tamis
