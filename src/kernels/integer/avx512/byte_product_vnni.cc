#include "src/kernels/integer/byte_product_body.h"

namespace tamis {

extern const KernelDef kernel_byte_product_vnni = {
    .name = "byte_product_vnni",
    .family = "integer",
    .ops = {"MatMulInteger"},
    .isa = Isa::kAvx512,
    .feature = CpuFeature::kAvx512Vnni,
    .supports = [](const Problem& problem) { return ReadIntegerMatMul(problem).status(); },
    .cost = [](const Problem& problem) { return ByteMatMulCost(problem, Isa::kAvx512, 0.3); },
    .prepare = [](const Problem& problem, PackCache& cache) { return PrepareByteMatMul(problem, cache, kByteProduct); },
};

}  // namespace tamis
