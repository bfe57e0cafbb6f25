// Checks of plans inside the network: the tuner times kernels one by one, and a sum of the best is not always the best
// sum.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/engine/engine.h"
#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

struct PlanComparison {
  double chosen_seconds = 0;  // medians of whole runs, in turns with the other's; 0: could not be compared
  double dense_seconds = 0;

  // By how much a choice may be slower than the all-dense network before it is given up: timing noise.
  static constexpr double kTolerance = 1.03;
  bool Loses() const { return chosen_seconds > kTolerance * dense_seconds; }
};

// Runs `fused` by the kernels of `point`, and `dense` (the same network, perhaps in another precision) at the same
// shapes with its fastest kernels for dense weights, in turns. A first look that says the choice loses is repeated for
// longer. Networks that run node by node, or take other inputs than tensors, are not compared.
Result<PlanComparison> CompareWithDense(const Graph& fused, const PlanPoint& point, const Graph& dense, Tuner& tuner,
                                        int threads);

// One node that a plan computes with another kernel than the all-dense plan does; a block is one node, and its layers
// with their dense kernels are the other side.
struct LayerComparison {
  std::string node, op, chosen_kernel, dense_kernel;
  double chosen_seconds = 0, dense_seconds = 0;  // medians inside whole runs, in turns
  bool Loses() const { return chosen_seconds > PlanComparison::kTolerance * dense_seconds; }
};
struct PlanCheck {
  PlanComparison whole;
  int nodes = 0;                        // of the plan
  std::vector<LayerComparison> layers;  // those whose kernels differ
};

// Recorded times can't prove that a choice is right, for it is their minimum: this measures afresh, the plan against
// the all-dense plan of the same graph, in turns, end to end and node by node.
Result<PlanCheck> CheckPlan(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads);

// The tuner times kernels one by one. Here those for 2:4 weights that `point` chose are measured inside the network, in
// turns with the all-dense plan, and the tuner is told what they take there (Tuner::RecordInNetwork), so that it gives
// up those that lose. Returns whether there was anything that it did not know yet: then it should be asked again.
// `begin` (may be empty) is called before the first measurement, if there is one.
Result<bool> MeasureSparseInNetwork(const Graph& fused, const PlanPoint& point, Tuner& tuner, int threads,
                                    const std::function<void()>& begin = {});

}  // namespace tamis
