// Dense Linear by oneDNN's matrix product.
#include "src/kernels/gemm/linear_onednn_parts.h"

namespace tamis {

extern const KernelDef kernel_linear_onednn_matmul;
const KernelDef kernel_linear_onednn_matmul = {
    .name = "linear_onednn_matmul",
    .family = "gemm",
    .ops = {"Linear"},
    .supports = onednn::LinearSupported,
    .cost = onednn::LinearCost,
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return onednn::PrepareLinear(problem, cache, onednn::LinearPrimitive::kMatmul);
        },
};

}  // namespace tamis
