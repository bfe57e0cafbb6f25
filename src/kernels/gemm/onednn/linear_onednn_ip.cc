// Dense Linear by oneDNN's inner product.
#include "src/kernels/gemm/linear_onednn_parts.h"

namespace tamis {

extern const KernelDef kernel_linear_onednn_ip;
const KernelDef kernel_linear_onednn_ip = {
    .name = "linear_onednn_ip",
    .family = "gemm",
    .ops = {"Linear"},
    .supports = onednn::LinearSupported,
    .cost = onednn::LinearCost,
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          return onednn::PrepareLinear(problem, cache, onednn::LinearPrimitive::kInnerProduct);
        },
};

}  // namespace tamis
