#include "src/kernels/matmul/matmul_body.h"
#include "src/kernels/operand_check.h"

namespace tamis {

extern const KernelDef kernel_matmul_avx2 = {
    .name = "matmul_avx2",
    .family = "matmul",
    .ops = {"MatMul"},
    .isa = Isa::kAvx2,
    .supports = SupportsMatMul,
    .cost = [](const Problem& problem) { return PredictSeconds(problem, Isa::kAvx2, MatMulFlops(problem)); },
    .prepare = [](const Problem& problem, PackCache&) { return PrepareMatMul(problem, Multiply); },
};

}  // namespace tamis
