// Networks in which some layers are 2:4, some int8 and some both, made of the dense one.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/compiler/optimize/optimize_setting.h"
#include "src/compiler/plan/build.h"
#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_layer_fit.h"
#include "src/compiler/prune/prune_layers.h"
#include "src/compiler/quantize/quantize.h"

namespace tamis {

// A weight of the network, and why something can't be done to it.
struct CandidateLayer {
  std::string name, node, op;  // of the initializer and its first node
  int64_t elements = 0;
  std::string sparse_reason, int8_reason;  // empty: it can
  double weight_error = 0;                 // of its s8 codes, |W - W^|^2 / |W|^2
  LayerReport alone[3];                    // as each pattern, pruned alone; the name is empty where it was not tried
};

// A network as assigned, pruned in order, each layer fitted to what the layers before it give.
struct PrunedNetwork {
  Graph graph;
  PruneReport prune;        // empty if nothing is 2:4
  QuantizeReport quantize;  // likewise, int8
};

class Candidates {
 public:
  // What could be done; nothing is changed. `fit` are the samples that weights are fitted and ranges chosen with.
  static Result<std::unique_ptr<Candidates>> Make(const Network& network, std::vector<NamedTensors> fit,
                                                  const PruneOptions& prune, const QuantizeOptions& quantize,
                                                  std::shared_ptr<ThreadPool> pool);

  const Graph& network() const { return network_.graph; }
  const std::vector<CandidateLayer>& layers() const { return layers_; }
  // Whether more samples would move the ranges, in a sentence; empty if nothing can be int8.
  const std::string& verdict() const { return verdict_; }
  // Prunes each of these layers alone, against the dense network's inputs, for Draft.
  Status FitAlone(LayerPattern pattern, const std::set<std::string>& layers);
  // Layers as they are when pruned alone, so that a draft takes no pruning; ranges are the dense network's. Every 2:4
  // layer of the assignment must have been fitted. `codes_exact` false: scales by the largest weight, where only times
  // are wanted. `report`, if any, gets what Quantize says.
  Result<Graph> Draft(const Assignment& assignment, bool codes_exact = true, QuantizeReport* report = nullptr);
  // The same masks wherever the assignment has a pattern, but chosen by magnitude and nothing made up for, and codes by
  // the largest weight: a network to take the time of, which needs no samples.
  Result<Graph> Outline(const Assignment& assignment);
  Result<PrunedNetwork> InOrder(const Assignment& assignment);

 private:
  Candidates(const Network& network, std::vector<NamedTensors> fit, const PruneOptions& prune,
             const QuantizeOptions& quantize, std::shared_ptr<ThreadPool> pool)
      : network_(network), fit_(std::move(fit)), prune_(prune), quantize_(quantize), pool_(std::move(pool)) {}
  Status FindLayers();
  // Layers but for those of the assignment that are int8.
  std::vector<std::string> FloatLayers(const Assignment& assignment) const;

  struct Fits {
    std::vector<WeightLayer> parts;
    std::map<ValueId, LayerFit> fits;
  };
  using FitsByPattern = std::map<LayerPattern, Fits>;
  Result<Graph> Assemble(const Assignment& assignment, const FitsByPattern& fits, bool codes_exact,
                         QuantizeReport* report) const;

  const Network& network_;
  std::vector<NamedTensors> fit_;
  PruneOptions prune_;
  QuantizeOptions quantize_;
  std::shared_ptr<ThreadPool> pool_;
  std::vector<CandidateLayer> layers_;
  std::set<std::string> int8_names_;  // of layers that Quantize knows
  std::string verdict_;
  Graph fused_;
  FitsByPattern fits_, outlines_;
  std::map<std::string, TensorStatistics> statistics_;  // of the dense network
};

}  // namespace tamis
