#include "src/kernels/matmul/matmul_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_matmul_sse2 = {
    .name = "matmul_sse2",
    .family = "matmul",
    .ops = {"MatMul"},
    .isa = Isa::kX86_64,
    .supports = SupportsMatMul,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kX86_64, MatMulFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareMatMul(problem, Multiply); },
};

}  // namespace tamis
