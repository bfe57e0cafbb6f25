#include "src/compiler/prune_layer_fit.h"

#include <algorithm>

#include "src/sparsity/partners.h"

namespace tamis {
namespace {

PrunedWeight PruneBlind(std::span<const float> weight, const WeightLayout& layout, bool paired, ThreadPool& pool) {
  PrunedWeight pruned;
  pruned.weight.assign(weight.begin(), weight.end());
  if (paired) {
    const RowMatrix magnitude = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
                                    weight.data(), layout.rows, layout.columns)
                                    .cast<double>();
    pruned.mask = MagnitudeMask(weight, layout, ChoosePartners(magnitude.array().square(), layout, pool));
  } else {
    pruned.mask = MagnitudeMask(weight, layout);
  }
  ApplyMask(pruned.mask, pruned.weight);
  pruned.saliency_kept = SaliencyKept(weight, pruned.mask);
  pruned.output_error = 1 - pruned.saliency_kept;
  return pruned;
}

}  // namespace

Result<LayerFit> FitLayer(const WeightLayer& layer, const Tensor& weight, std::span<const MomentFolds> moments,
                          const PruneOptions& options, ThreadPool& pool) {
  WeightLayout layout = layer.layout;
  layout.rows /= layer.groups;
  const bool reconstruct = options.method == PruneOptions::Method::kReconstruct;
  ReconstructOptions settings = options.reconstruct;
  settings.free_bias = layer.bias.has_value() && !moments.empty();
  LayerFit fit;
  fit.saliency_kept = 0;
  for (int64_t g = 0; g < layer.groups; ++g) {
    const auto count = static_cast<size_t>(layout.rows * layout.columns);
    const std::span<const float> part = weight.Span<float>().subspan(static_cast<size_t>(g) * count, count);
    PrunedWeight pruned;
    if (moments.empty()) {
      pruned = PruneBlind(part, layout, settings.paired, pool);
    } else if (!reconstruct) {
      Moments all = moments[static_cast<size_t>(g)][0];
      all.Add(moments[static_cast<size_t>(g)][1]);
      pruned = PruneByMagnitude(part, layout, all, settings, pool);
    } else {
      TAMIS_ASSIGN_OR_RETURN(pruned, Reconstruct(part, layout, moments[static_cast<size_t>(g)], settings, pool));
    }
    fit.weight.insert(fit.weight.end(), pruned.weight.begin(), pruned.weight.end());
    fit.bias_delta.insert(fit.bias_delta.end(), pruned.bias_delta.begin(), pruned.bias_delta.end());
    fit.saliency_kept += pruned.saliency_kept / static_cast<double>(layer.groups);
    fit.output_error += pruned.output_error / static_cast<double>(layer.groups);
  }
  fit.by_magnitude = reconstruct && moments.empty();
  return fit;
}

}  // namespace tamis
