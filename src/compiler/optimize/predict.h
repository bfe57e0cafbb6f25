// What pruning would gain on this machine, measured before anything is pruned.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

// One weight layer of a fused graph at one shape.
struct LayerTime {
  std::string node;                                                  // name of the layer's output
  std::string weight;                                                // initializer of the unfused graph
  double dense_seconds = 0, sparse_seconds = 0, paired_seconds = 0;  // best tactic each; 0: there is none
  std::string dense_kernel, sparse_kernel, paired_kernel;
  std::string sparse_reason;  // why there is no 2:4 tactic, where there is none

  // A 2:4 tactic counts only if it is faster by more than timing noise.
  static constexpr double kClearGain = 0.97;
  bool Gains() const { return sparse_seconds > 0 && sparse_seconds < kClearGain * dense_seconds; }
  // Outputs that keep the same positions two by two, against dense.
  bool GainsPaired() const { return paired_seconds > 0 && paired_seconds < kClearGain * dense_seconds; }
  double Best() const { return Gains() ? sparse_seconds : dense_seconds; }
  double BestPaired() const { return GainsPaired() ? std::min(paired_seconds, Best()) : Best(); }
};

struct GainPrediction {
  std::vector<LayerTime> layers;
  double other_seconds = 0;  // nodes without weights
  double DenseSeconds() const;
  // With every layer of `pruned` (weight names) on its 2:4 tactic where that gains, the others dense.
  double SecondsWith(const std::function<bool(const LayerTime&)>& pruned) const;
  // The same with paired 2:4, whose layers have the 2:4 tactics too.
  double SecondsWithPaired(const std::function<bool(const LayerTime&)>& pruned) const;
};

// Times every node of `fused` at `binding`, weight layers as dense, 2:4 and paired 2:4, whatever their weights are now.
Result<GainPrediction> PredictGain(const Graph& fused, const std::map<std::string, int64_t>& binding, Tuner& tuner,
                                   int threads);

}  // namespace tamis
