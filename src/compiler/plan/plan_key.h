// A name for a plan and all that its times depend on, under which what was measured of the whole plan is kept.
#pragma once

#include <map>
#include <string>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/kernels/kernel.h"

namespace tamis {

struct DescribedPlan {
  std::map<std::string, Problem> problems;  // by node
  std::string key;                          // a hash of the problems, the kernels with their revisions, and the blocks
  bool differs = false;                     // from the all-dense plan
};

// `concrete` is the network at the point's shapes and must outlive the result.
Result<DescribedPlan> DescribePlan(const Graph& concrete, const PlanPoint& point, int threads);

}  // namespace tamis
