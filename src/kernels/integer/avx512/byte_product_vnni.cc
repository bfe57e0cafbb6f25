#include "src/kernels/integer/byte_product_body.h"

namespace tamis {

extern const KernelDef kernel_byte_product_vnni = {
    .name = "byte_product_vnni",
    .family = "integer",
    .ops = {"MatMulInteger", "ConvInteger"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = SupportsByteProduct,
    .cost = [](const Problem& problem) { return ByteProductCost(problem, Isa::kAvx512, 0.3); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareByteProduct(problem, cache, kByteProduct); },
};

}  // namespace tamis
