// Which plan of an engine a request runs by, and whether any of its profiles takes the request at all.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/kernels/block/row_block.h"
#include "src/runtime/micro_batches.h"
#include "src/runtime/prepared_node.h"

namespace tamis {

using Binding = std::map<std::string, int64_t>;  // sizes by symbol

struct PlanQuery {
  std::string device;
  int threads = 0;
  int variant = 0;
};

// The measured plan for `query.device` whose profile holds `binding`: one for `query.threads` before any other, then
// the one with the nearest point. nullptr: none, the cost model chooses.
const Plan* ChoosePlan(const std::vector<Plan>& plans, const PlanQuery& query, const Binding& binding);
// The least workspace that a plan of the variant allows its kernels; 0: all allow any. For runs that no plan fits.
uint64_t StrictestWorkspaceLimit(const std::vector<Plan>& plans, int variant);
// The plan's point that is nearest to `binding`; nullptr if it has none.
const PlanPoint* NearestPoint(const Plan& plan, const Binding& binding);
// The kernels of the plan's point that is nearest to `binding`.
KernelWish WishOf(const Plan& plan, const Binding& binding);
KernelWish WishOf(const std::vector<NodePlan>& nodes);
// Its blocks.
std::vector<BlockSpec> BlocksOf(const Plan& plan, const Binding& binding);
std::vector<BlockSpec> BlocksOf(const PlanPoint& point);
// Its micro-batches.
MicroBatchSpec MicroBatchesOf(const Plan& plan, const Binding& binding);
MicroBatchSpec MicroBatchesOf(const PlanPoint& point);

// Ok if a profile holds the inputs' dimensions (in the graph's order, of the right rank), or there is none. Else an
// error (kUser) that names every dimension that is out of bounds, its input and the bounds, profile by profile.
Status CheckProfiles(const Graph& graph, const std::vector<Profile>& profiles, const std::vector<Dims>& inputs);

}  // namespace tamis
