#include "src/kernels/integer/integer_product_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_integer_product_sse2 = {
    .name = "integer_product_sse2",
    .family = "integer",
    .ops = {"MatMulInteger", "ConvInteger"},
    .isa = Isa::kX86_64,
    .supports = SupportsIntegerProduct,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, IntegerProductFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareIntegerProduct(problem, kIntegerProduct); },
};

}  // namespace tamis
