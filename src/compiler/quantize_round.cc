#include "src/compiler/quantize_round.h"

#include <algorithm>
#include <set>

#include "src/base/hash.h"
#include "src/compiler/prune_layers.h"
#include "src/compiler/prune_moments.h"
#include "src/compiler/prune_run.h"
#include "src/compiler/prune_write_back.h"
#include "src/compiler/pruner.h"
#include "src/passes/pass.h"
#include "src/quantize/weight_codes.h"
#include "src/sparsity/round_codes.h"

namespace tamis {
namespace {

// Layers by the node that reads their weight. An initializer of which one part can't be rounded is left alone.
std::map<NodeId, WeightLayer> RoundableLayers(const Graph& simplified, const Graph& fused,
                                              const std::vector<std::string>& keep) {
  std::vector<WeightLayer> layers = FindWeightLayers(simplified, fused, {.least_outputs = 1, .keep = keep});
  std::set<std::string> left_alone;
  for (const WeightLayer& layer : layers) {
    if (!layer.reason.empty() || layer.users.size() != 1 || !Moments::CheckColumns(layer.layout.columns).ok()) {
      left_alone.insert(layer.initializer);
    }
  }
  std::map<NodeId, WeightLayer> by_node;
  for (WeightLayer& layer : layers) {
    if (left_alone.count(layer.initializer) == 0) by_node.emplace(layer.users[0], std::move(layer));
  }
  return by_node;
}

class RoundingWalk {
 public:
  RoundingWalk(Graph& simplified, Graph& fused, const RoundOptions& options, std::shared_ptr<ThreadPool> pool)
      : simplified_(simplified), fused_(fused), dense_(fused.Clone()), options_(options), pool_(std::move(pool)) {}

  Result<std::map<std::string, RoundedLayer>> Run(std::span<const NamedTensors> given) {
    const std::map<NodeId, WeightLayer> layers = RoundableLayers(simplified_, fused_, options_.keep);
    std::vector<std::string> notes;
    TAMIS_ASSIGN_OR_RETURN(const PreparedBatches batches,
                           PrepareBatches(dense_, given, PruneOptions{}, false, pool_, &notes));
    const std::vector<NodeId> last = LastReaders(dense_);
    PairedRun run(dense_, fused_, pool_);
    TAMIS_RETURN_IF_ERROR(run.Start(batches.inputs, batches.store));
    int done = 0;
    const auto total = static_cast<int>(layers.size());
    for (const NodeId id : dense_.NodeIds()) {
      if (done == total) break;
      const auto found = layers.find(id);
      if (found != layers.end()) {
        const WeightLayer& layer = found->second;
        if (options_.progress) options_.progress(done, total, layer.initializer);
        if (options_.cancelled && options_.cancelled()) return RuntimeError("rounding was interrupted");
        std::vector<MomentFolds> moments = EmptyMoments(layer);
        TAMIS_RETURN_IF_ERROR(
            AddMoments(dense_, layer, id, run, batches.filter, Hash64(layer.initializer, 1), *pool_, &moments));
        TAMIS_RETURN_IF_ERROR(Round(layer, moments));
        ++done;
      }
      TAMIS_RETURN_IF_ERROR(run.RunDense(id));
      TAMIS_RETURN_IF_ERROR(run.RunPruned(id, found != layers.end()));
      run.ReleaseAfter(id, last);
    }
    for (auto& [name, rounded] : rounded_) {
      const auto& [error, square] = squares_.at(name);
      rounded.weight_error = square > 0 ? error / square : 0;
    }
    return std::move(rounded_);
  }

 private:
  Status Round(const WeightLayer& layer, std::span<MomentFolds> moments) {
    const Tensor weight = *dense_.value(layer.weight).constant;
    const WeightCodes codes = QuantizeRows(weight.Span<float>(), layer.layout.rows, options_.clip);
    const bool free_bias = options_.move_bias && layer.bias.has_value();
    WeightLayout layout = layer.layout;
    layout.rows /= layer.groups;
    const auto count = static_cast<size_t>(layout.rows * layout.columns), outputs = static_cast<size_t>(layout.rows);
    std::vector<float> all, bias_delta;
    for (size_t g = 0; g < moments.size(); ++g) {
      Moments both = std::move(moments[g][0]);
      both.Add(moments[g][1]);
      const RoundedWeight part = RoundToCodes(weight.Span<float>().subspan(g * count, count), layout, both,
                                              std::span(codes.scales).subspan(g * outputs, outputs), free_bias, *pool_);
      all.insert(all.end(), part.weight.begin(), part.weight.end());
      bias_delta.insert(bias_delta.end(), part.bias_delta.begin(), part.bias_delta.end());
    }
    auto& [error, square] = squares_[layer.initializer];
    for (size_t i = 0; i < all.size(); ++i) {
      const double w = static_cast<double>(weight.Data<float>()[i]), difference = w - static_cast<double>(all[i]);
      error += difference * difference;
      square += w * w;
    }
    TAMIS_RETURN_IF_ERROR(WriteBack(layer, all, bias_delta, simplified_, fused_));
    const Tensor& original = *simplified_.value(FindValue(simplified_, layer.initializer)).constant;
    std::vector<float>& scales = rounded_[layer.initializer].scales;
    scales.resize(static_cast<size_t>(original.NumElements() / layout.columns), 1);
    std::copy(codes.scales.begin(), codes.scales.end(), scales.begin() + layer.origin.row_begin);
    return {};
  }

  Graph& simplified_;
  Graph& fused_;
  Graph dense_;
  const RoundOptions& options_;
  std::shared_ptr<ThreadPool> pool_;
  std::map<std::string, RoundedLayer> rounded_;
  std::map<std::string, std::pair<double, double>> squares_;  // of the rounding and of the weight
};

}  // namespace

Result<std::map<std::string, RoundedLayer>> RoundInOrder(Graph& simplified, std::span<const NamedTensors> batches,
                                                         const RoundOptions& options) {
  TAMIS_ASSIGN_OR_RETURN(Graph fused, Fuse(simplified, PassOptions{}));
  RoundingWalk walk(simplified, fused, options, std::make_shared<ThreadPool>(options.threads));
  return walk.Run(batches);
}

}  // namespace tamis
