// Whether the first layers of a network run for parts of a batch, one part after another
// (src/runtime/micro_batches.h): where that was measured to be faster than the whole batch at once.
#pragma once

#include <functional>
#include <string>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

struct MicroBatchVerdict {
  bool measured = false;  // false: there is nowhere to cut, no time was left, or a run takes too long (then the reason)
  bool chosen = false;
  std::string reason;
  std::string last;  // the last layer that runs for parts, if chosen
};

// A part of a point's batch, planned like a network of its own.
struct PartPlan {
  Graph graph;      // as PartOfNetwork makes it; its shapes are numbers
  PlanPoint point;  // of `graph`: no symbol is bound
};

// `point` is a complete plan of `fused`, `part` of the layers that may run for parts of its batch. Both are run whole,
// layer by layer and in turns; the cut is where most time is saved, and it is taken if the whole network is no slower
// with it. The point then has the part's kernels and blocks before the cut. `begin` (may be empty) is called before the
// first measurement, if there is one; what was found is kept in the tuner's cache.
Result<MicroBatchVerdict> ChooseMicroBatches(const Graph& fused, Tuner& tuner, int threads, const PartPlan& part,
                                             PlanPoint* point, const std::function<void()>& begin = {});

}  // namespace tamis
