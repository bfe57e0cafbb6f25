// Which neighbouring layers run as one block (src/kernels/block/row_block.h): those that were measured to be faster so,
// inside the network, than one after another.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

// One block that was looked at.
struct BlockVerdict {
  BlockPlan block;
  bool chosen = false;
  std::string reason;  // why, or why not
};

// Fills point->blocks for `fused` at the point's shapes, whose nodes have their kernels already. What the tuner's cache
// does not know is measured: the network with blocks and without in turns, layer by layer. Of blocks that overlap those
// are chosen that leave least time in all; and if the whole network is not faster with them, none. `begin` (may be
// empty) is called before the first measurement, if there is one.
Result<std::vector<BlockVerdict>> ChooseBlocks(const Graph& fused, Tuner& tuner, int threads, PlanPoint* point,
                                               const std::function<void()>& begin = {});

}  // namespace tamis
