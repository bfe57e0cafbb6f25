#include "src/kernels/matmul/matmul_typed_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_matmul_typed_sse2 = {
    .name = "matmul_typed_sse2",
    .family = "matmul",
    .ops = {"MatMul"},
    .isa = Isa::kX86_64,
    .supports = SupportsTypedMatMul,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, MatMulFlops(problem)); },
    .prepare = [](const Problem& problem,
                  PackCache&) { return PrepareMatMul(problem, TypedBodyOf(problem.input(0).dtype)); },
};

}  // namespace tamis
