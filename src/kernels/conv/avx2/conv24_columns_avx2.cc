// ChannelsLastConv with a 2:4 weight, output pixels across the lanes: the column routine of gemm24_columns_avx2.
#include "src/kernels/gemm/avx2/columns_avx2.h"

namespace tamis {

extern const KernelDef kernel_conv24_columns_avx2;
const KernelDef kernel_conv24_columns_avx2 = {
    .name = "conv24_columns_avx2",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx2,
    .supports = ConvColumnsSupported,
    .cost = [](const Problem& problem) { return ConvColumnsCost(problem, Isa::kAvx2); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareConvColumns(problem, cache, kColumnsAvx2); },
};

}  // namespace tamis
