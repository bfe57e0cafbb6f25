#include "src/kernels/block/row_block.h"

namespace tamis {

extern const KernelDef kernel_row_block = {
    .name = "row_block",
    .family = "block",
    .ops = {"RowBlock"},
    .isa = Isa::kX86_64,  // its layers' kernels may ask for more
    .supports = SupportsRowBlock,
    .cost = RowBlockCost,
    .prepare = PrepareRowBlock,
    .in_place = 1U << 1,
};

}  // namespace tamis
