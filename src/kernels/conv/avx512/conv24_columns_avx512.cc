// ChannelsLastConv with a 2:4 weight, output pixels across the lanes: the column routine of gemm24_columns_avx512.
#include "src/kernels/gemm/avx512/columns_avx512.h"

namespace tamis {

extern const KernelDef kernel_conv24_columns_avx512;
const KernelDef kernel_conv24_columns_avx512 = {
    .name = "conv24_columns_avx512",
    .family = "conv",
    .ops = {"ChannelsLastConv"},
    .isa = Isa::kAvx512,
    .supports = ConvColumnsSupported,
    .cost = [](const Problem& problem) { return ConvColumnsCost(problem, Isa::kAvx512); },
    .prepare = [](const Problem& problem,
                  PackCache& cache) { return PrepareConvColumns(problem, cache, kColumnsAvx512); },
};

}  // namespace tamis
