#include "src/kernels/integer/integer_product_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_integer_product_avx512 = {
    .name = "integer_product_avx512",
    .family = "integer",
    .ops = {"MatMulInteger", "ConvInteger"},
    .isa = Isa::kAvx512,
    .supports = SupportsIntegerProduct,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, IntegerProductFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareIntegerProduct(problem, kIntegerProduct); },
};

}  // namespace tamis
