#include <algorithm>
#include <numeric>
#include <set>

#include "src/compiler/measure/compare.h"
#include "src/compiler/optimize/sensitivity.h"
#include "src/compiler/prune/prune_write_back.h"
#include "src/compiler/prune/pruner.h"

namespace tamis {
namespace {

// The tensor with what belongs to padding set to zero, so that it differs nowhere.
Tensor OnlyRealTokens(const Tensor& tensor, const TokenMask& mask, const TokenFlags& flags, const Shape& shape) {
  const int64_t inner = std::max<int64_t>(1, tensor.rank() == 0 ? 1 : tensor.dim(-1));
  std::vector<int64_t> positions(static_cast<size_t>(tensor.NumElements() / inner));
  std::iota(positions.begin(), positions.end(), int64_t{0});
  const size_t all = positions.size();
  KeepRealTokens(mask, flags, shape, &positions);
  if (positions.size() == all) return tensor;
  Tensor result(tensor.dtype(), tensor.dims());
  const size_t bytes = ByteSize(tensor.dtype(), static_cast<size_t>(inner));
  for (const int64_t p : positions) {
    std::copy_n(tensor.raw() + static_cast<size_t>(p) * bytes, bytes, result.raw() + static_cast<size_t>(p) * bytes);
  }
  return result;
}

Status Compare(const Graph& fused, const PreparedBatches& batches, const PairedRun& run, LayerSensitivity* result) {
  for (const ValueId output : fused.outputs) {
    const Type& type = fused.value(output).type;
    if (fused.value(output).IsConstant() || !IsFloat(type.dtype)) continue;
    OutputComparison comparison;
    for (size_t b = 0; b < run.batches(); ++b) {
      Tensor dense = run.dense(b, output), pruned = run.pruned(b, output);
      if (batches.filter.mask && type.has_rank) {
        dense = OnlyRealTokens(dense, *batches.filter.mask, batches.filter.flags[b], type.shape);
        pruned = OnlyRealTokens(pruned, *batches.filter.mask, batches.filter.flags[b], type.shape);
      }
      TAMIS_RETURN_IF_ERROR(comparison.Add(pruned, dense));
      run.Rest(b);
    }
    const double root = comparison.RelativeRootError();
    result->cosine_loss = std::max(result->cosine_loss, 1 - comparison.MeanCosine());
    result->relative_error = std::max(result->relative_error, root * root);
  }
  return {};
}

}  // namespace

Result<std::vector<LayerSensitivity>> MeasureSensitivityFused(const Graph& simplified, const Graph& fused,
                                                              std::span<const NamedTensors> fit,
                                                              std::span<const NamedTensors> choose,
                                                              const PruneOptions& options,
                                                              std::shared_ptr<ThreadPool> pool) {
  if (choose.empty()) return UserError("sensitivity needs samples to measure on");
  Graph unfused = simplified.Clone(), alone = fused.Clone();
  Pruner pruner(unfused, alone, options, Pruner::Mode::kAlone, pool);
  TAMIS_ASSIGN_OR_RETURN(const PruneReport report, pruner.Run(fit));

  std::vector<std::string> notes;
  TAMIS_ASSIGN_OR_RETURN(const PreparedBatches batches, PrepareBatches(fused, choose, options, true, pool, &notes));
  PairedRun run(fused, alone, pool);
  TAMIS_RETURN_IF_ERROR(run.Start(batches.inputs, batches.store));
  const std::vector<NodeId> order = fused.NodeIds();
  for (const NodeId id : order) TAMIS_RETURN_IF_ERROR(run.RunDense(id));

  std::vector<LayerSensitivity> results;
  for (const LayerReport& layer : report.layers) {
    if (layer.pattern == "dense") continue;
    LayerSensitivity& result = results.emplace_back();
    result.name = layer.name;
    result.layer = layer;
    unfused = simplified.Clone();
    alone = fused.Clone();
    std::set<NodeId> changed;
    for (const WeightLayer& part : pruner.layers()) {
      const auto found = pruner.fits().find(part.weight);
      if (part.initializer != layer.name || found == pruner.fits().end()) continue;
      TAMIS_RETURN_IF_ERROR(WriteBack(part, found->second.weight, found->second.bias_delta, unfused, alone));
      changed.insert(part.users.begin(), part.users.end());
    }
    run.ResetPruned();
    for (const NodeId id : order) {
      if (!changed.empty() && id >= *changed.begin()) TAMIS_RETURN_IF_ERROR(run.RunPruned(id, changed.count(id) != 0));
    }
    TAMIS_RETURN_IF_ERROR(Compare(fused, batches, run, &result));
  }
  return results;
}

}  // namespace tamis
