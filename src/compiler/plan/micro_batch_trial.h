// Whether the first layers of a network run for parts of a batch, one part after another
// (src/runtime/micro_batches.h): where that was measured to be faster than the whole batch at once.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

// `binding` with so many entries of the batch as would run together: enough to share out among the threads, and no
// more. Nothing if the batch (axis 0 of the first input) has no symbol, or is that small itself.
std::optional<std::map<std::string, int64_t>> PartOfBatch(const Graph& fused,
                                                          const std::map<std::string, int64_t>& binding, int threads);

struct MicroBatchVerdict {
  bool measured = false;  // false: there is nowhere to cut, or no time was left
  bool chosen = false;
  std::string reason;
  std::string last;  // the last layer that runs for parts, if chosen
};

// `point` and `part` are complete plans of `fused`, the second for the binding that PartOfBatch gave. Both are run
// whole, layer by layer and in turns; the cut is where most time is saved, and it is taken if the whole network is
// faster with it. The point then has the part's kernels and blocks before the cut. `begin` (may be empty) is called
// before the first measurement, if there is one; what was found is kept in the tuner's cache.
Result<MicroBatchVerdict> ChooseMicroBatches(const Graph& fused, Tuner& tuner, int threads, const PlanPoint& part,
                                             PlanPoint* point, const std::function<void()>& begin = {});

}  // namespace tamis
