#include "src/compiler/prune_layer_fit.h"

#include <cmath>

#include "src/quantize/weight_codes.h"
#include "src/sparsity/objective.h"
#include "src/sparsity/partners.h"
#include "src/sparsity/round_codes.h"

namespace tamis {
namespace {

Moments Sum(const MomentFolds& folds) {
  Moments all = folds[0];
  all.Add(folds[1]);
  return all;
}

PrunedWeight PruneBlind(std::span<const float> weight, const WeightLayout& layout, bool paired, ThreadPool& pool) {
  PrunedWeight pruned;
  pruned.weight.assign(weight.begin(), weight.end());
  if (paired) {
    const RowMatrix magnitude = ToMatrix(weight, layout.rows, layout.columns);
    pruned.mask = MagnitudeMask(weight, layout, ChoosePartners(magnitude.array().square(), layout, pool));
  } else {
    pruned.mask = MagnitudeMask(weight, layout);
  }
  ApplyMask(pruned.mask, pruned.weight);
  pruned.saliency_kept = SaliencyKept(weight, pruned.mask);
  pruned.output_error = 1 - pruned.saliency_kept;
  return pruned;
}

Result<PrunedWeight> PrunePart(std::span<const float> weight, const WeightLayout& layout, const MomentFolds* folds,
                               const PruneOptions& options, bool free_bias, ThreadPool& pool) {
  if (folds == nullptr) return PruneBlind(weight, layout, options.reconstruct.paired, pool);
  ReconstructOptions settings = options.reconstruct;
  settings.free_bias = free_bias;
  if (options.method == PruneOptions::Method::kReconstruct) return Reconstruct(weight, layout, *folds, settings, pool);
  return PruneByMagnitude(weight, layout, Sum(*folds), settings, pool);
}

}  // namespace

Result<LayerFit> FitLayer(const WeightLayer& layer, const Tensor& weight, std::span<const MomentFolds> moments,
                          LayerTask task, const PruneOptions& options, ThreadPool& pool) {
  WeightLayout layout = layer.layout;
  layout.rows /= layer.groups;
  const bool free_bias = layer.bias && !moments.empty() && (task.prune || options.rounding.move_bias);
  const auto append = [](const auto& part, auto* whole) { whole->insert(whole->end(), part.begin(), part.end()); };
  LayerFit fit;
  fit.saliency_kept = 0;
  for (int64_t g = 0; g < layer.groups; ++g) {
    const auto count = static_cast<size_t>(layout.rows * layout.columns);
    const std::span<const float> dense = weight.Span<float>().subspan(static_cast<size_t>(g) * count, count);
    const MomentFolds* folds = moments.empty() ? nullptr : &moments[static_cast<size_t>(g)];
    PrunedWeight part;
    if (task.prune) {
      TAMIS_ASSIGN_OR_RETURN(part, PrunePart(dense, layout, folds, options, free_bias, pool));
    } else {
      part.weight.assign(dense.begin(), dense.end());
    }
    if (task.round && folds != nullptr) {
      const std::vector<float> scales = QuantizeRows(part.weight, layout.rows, options.rounding.clip).scales;
      RoundOptions settings;
      settings.free_bias = free_bias;
      if (part.damping > 0) settings.damping = part.damping;
      RoundedWeight rounded = RoundToCodes(dense, part.weight, layout, Sum(*folds), scales, settings, pool);
      for (size_t i = 0; i < count; ++i) {
        const double before = static_cast<double>(part.weight[i]);
        fit.rounding_square += std::pow(before - static_cast<double>(rounded.weight[i]), 2);
        fit.weight_square += before * before;
      }
      part.weight = std::move(rounded.weight);
      part.bias_delta = std::move(rounded.bias_delta);
      part.output_error = rounded.output_error;
      append(scales, &fit.scales);
    }
    append(part.weight, &fit.weight);
    append(part.bias_delta, &fit.bias_delta);
    fit.saliency_kept += part.saliency_kept / static_cast<double>(layer.groups);
    fit.output_error += part.output_error / static_cast<double>(layer.groups);
  }
  return fit;
}

}  // namespace tamis
