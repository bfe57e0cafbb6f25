// A plan and the all-dense plan of the same network as programs that run in turns, and what is found of them so.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "src/compiler/measure/run_in_turns.h"
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

// One node that a plan computes with another kernel than the all-dense plan does; a block is one node, and its layers
// with their dense kernels are the other side.
struct LayerComparison {
  std::string node, op, chosen_kernel, dense_kernel;
  bool block = false;
  double chosen_seconds = 0, dense_seconds = 0;  // medians inside whole runs, in turns

  double Ratio() const { return chosen_seconds / dense_seconds; }
  bool Loses() const { return chosen_seconds > PlanComparison::kTolerance * dense_seconds; }
};

// Nodes that both plans compute with the same kernel. They are what the measurement itself is worth: a layer that
// differs from its own twin by so much says nothing.
struct TwinLayers {
  int count = 0;
  int slower = 0;      // of them, those that seem to lose as LayerComparison::Loses says
  double highest = 1;  // ratio of all of them
};

struct LayerComparisons {
  std::vector<LayerComparison> differing;  // in the order of the network
  TwinLayers same;

  const LayerComparison* Find(const std::string& node) const;  // among those that differ
};

struct PlanPair {
  PackCache cache;
  std::unique_ptr<Program> chosen, dense;
  std::map<std::string, std::vector<std::string>> blocks;  // of `chosen`: the layers, by the last one's name
  std::vector<Tensor> inputs;
};

// `fused` by the kernels of `point`, and `dense` (the same network, perhaps in another precision) at the same shapes
// with its fastest kernels for dense weights. nullptr for networks that run node by node, or take other inputs than
// tensors.
Result<std::unique_ptr<PlanPair>> MakePlanPair(const Graph& fused, const PlanPoint& point, const Graph& dense,
                                               Tuner& tuner, int threads);

// Whole runs for about `seconds`.
Result<PlanComparison> CompareWhole(const PlanPair& pair, ThreadPool& pool, double seconds);

// Each node inside whole runs; who goes first alternates.
Result<LayerComparisons> CompareLayers(const PlanPair& pair, ThreadPool& pool, const Turns& turns);

}  // namespace tamis
