// Blocks for networks that nobody has timed: filters per channel over images that a core's own cache does not hold,
// with the pointwise convolutions before and behind. Such blocks were never measured to be slower than their layers
// (docs/performance.md).
#pragma once

#include "src/kernels/block/row_block.h"

namespace tamis {

std::vector<BlockSpec> LikelyBlocks(const Graph& concrete, int threads, PackCache& cache);

}  // namespace tamis
