// The walk behind Prune and MeasureSensitivity.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "src/base/tensor_store.h"
#include "src/compiler/prune/prune.h"
#include "src/compiler/prune/prune_layer_fit.h"
#include "src/compiler/prune/prune_layers.h"
#include "src/compiler/prune/prune_moments.h"
#include "src/compiler/prune/prune_run.h"
#include "src/ir/constant_store.h"

namespace tamis {

// Batches as the walk wants them: padding trimmed, token flags computed, no more than the limits allow.
struct PreparedBatches {
  std::vector<NamedTensors> inputs;
  TokenFilter filter;
  std::shared_ptr<TensorStore> store;  // where the walk keeps its values; null: in memory
};
// `hold_all`: no value is freed before the end. Notes that samples were left out go to `notes`.
Result<PreparedBatches> PrepareBatches(const Graph& fused, std::span<const NamedTensors> given,
                                       const PruneOptions& options, bool hold_all, std::shared_ptr<ThreadPool> pool,
                                       std::vector<std::string>* notes);

// Fits every layer of a fused graph that is to be pruned or rounded. Used once. Not synchronised.
class Pruner {
 public:
  enum class Mode {
    kInOrder,  // each layer sees the ones before it pruned and rounded; results are written to both graphs
    kAlone,    // each layer sees the dense network; the graphs stay as they are, nothing is rounded
  };
  // The graphs and the options must outlive the pruner.
  Pruner(Graph& simplified, Graph& fused, const PruneOptions& options, Mode mode, std::shared_ptr<ThreadPool> pool);

  Result<PruneReport> Run(std::span<const NamedTensors> batches);

  const std::vector<WeightLayer>& layers() const { return layers_; }
  // Of Mode::kAlone, by the layer's weight.
  const std::map<ValueId, LayerFit>& fits() const { return fits_; }

 private:
  void FindRounded();
  LayerTask TaskOf(const WeightLayer& layer) const;
  bool HasMoments(const WeightLayer& layer) const;
  uint64_t SeedOf(const WeightLayer& layer, NodeId user) const;
  const SampleShares* SharesFor(NodeId user) const;
  Status WeighSamples(PreparedBatches* batches);
  Status SeeShared(const PreparedBatches& batches);
  Status Walk(const PreparedBatches& batches);
  Status Fit(const WeightLayer& layer, std::vector<MomentFolds> moments);
  void Remember(const WeightLayer& layer, const LayerFit& fit);
  PruneReport Take();

  Graph& simplified_;
  Graph& fused_;
  Graph dense_;
  const PruneOptions& options_;
  Mode mode_;
  std::shared_ptr<ThreadPool> pool_;
  ConstantStore constants_{0};
  std::vector<WeightLayer> layers_;
  std::set<ValueId> to_round_;             // weights
  std::map<NodeId, SampleShares> shares_;  // by user; empty: all samples count alike
  std::map<ValueId, std::vector<MomentFolds>> shared_;
  std::map<ValueId, LayerReport> reports_;
  std::map<ValueId, LayerFit> fits_;
  std::map<std::string, std::pair<double, double>> squares_;  // of what rounding changed, and of the weight
  PruneReport report_;
  int done_ = 0, total_ = 0;
};

}  // namespace tamis
