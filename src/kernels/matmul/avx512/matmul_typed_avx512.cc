#include "src/kernels/matmul/matmul_typed_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_matmul_typed_avx512 = {
    .name = "matmul_typed_avx512",
    .family = "matmul",
    .ops = {"MatMul"},
    .isa = Isa::kAvx512,
    .supports = SupportsTypedMatMul,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx512, MatMulFlops(problem)); },
    .prepare = [](const Problem& problem,
                  PackCache&) { return PrepareMatMul(problem, TypedBodyOf(problem.input(0).dtype)); },
};

}  // namespace tamis
