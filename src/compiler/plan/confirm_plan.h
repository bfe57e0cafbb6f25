// Checks of plans inside the network: the tuner times kernels one by one, and a sum of the best is not always the best
// sum.
#pragma once

#include <functional>
#include <vector>

#include "src/compiler/plan/plan_pair.h"

namespace tamis {

// Runs `fused` by the kernels of `point`, and `dense` (the same network, perhaps in another precision) at the same
// shapes with its fastest kernels for dense weights, in turns. A first look that says the choice loses is repeated for
// longer. Networks that run node by node, or take other inputs than tensors, are not compared.
Result<PlanComparison> CompareWithDense(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                        int threads);

struct PlanCheck {
  PlanComparison whole;
  int nodes = 0;                        // of the plan
  std::vector<LayerComparison> layers;  // those whose kernels differ
  TwinLayers same;                      // the others
};

// Recorded times can't prove that a choice is right, for it is their minimum: this measures afresh, the plan against
// the all-dense plan of the same graph, in turns, end to end and node by node. Layers that seem to take longer than
// dense are looked at again for longer and in other memory (where packed weights lie alone is worth some per cent of a
// layer, for better or worse), and that counts.
Result<PlanCheck> CheckPlan(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads);

// The tuner times kernels one by one. Here those for 2:4 weights that `point` chose are measured inside the network, in
// turns with the all-dense plan, and the tuner is told what they take there (Tuner::RecordInNetwork), so that it gives
// up those that lose. Returns whether there was anything that it did not know yet: then it should be asked again.
// `begin` (may be empty) is called before the first measurement, if there is one.
Result<bool> MeasureSparseInNetwork(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads,
                                    const std::function<void()>& begin = {});

}  // namespace tamis
