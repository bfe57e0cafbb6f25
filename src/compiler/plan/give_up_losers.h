// The last look at a plan: what is slower than dense inside the network that it was planned for is given up.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

struct GivenUp {
  std::string node;  // as NodePlan::node; of a block its last layer's
  bool block = false;
  double ratio = 0;  // of the dense kernels' time; 0: known from an earlier build
};

// Kernels are timed one by one, and blocks gain by the median over all that are alike. Here every block and every
// kernel for 2:4 weights of `point` is measured in its place, in turns with the dense kernels there, twice and
// in other memory each time; what is no faster either time is replaced by those, and a block by its layers. What
// replaced it may need a look of its own: there are several rounds. The tuner keeps what was found, so that a plan is
// measured once. `begin` (may be empty) is called before the first measurement, if there is one.
Result<std::vector<GivenUp>> GiveUpLosers(const Graph& fused, Tuner& tuner, int threads, PlanPoint* point,
                                          const std::function<void()>& begin = {});

}  // namespace tamis
