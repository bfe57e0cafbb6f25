#include "src/compiler/prune/prune_layer_fit.h"

#include <cmath>
#include <optional>

#include "src/quantize/weight_codes.h"
#include "src/sparsity/partners.h"
#include "src/sparsity/round_codes.h"

namespace tamis {
namespace {

PrunedWeight PruneBlind(std::span<const float> weight, const WeightLayout& layout, const ReconstructOptions& options,
                        ThreadPool& pool) {
  PrunedWeight pruned;
  pruned.weight.assign(weight.begin(), weight.end());
  if (options.paired) {
    const RowMatrix magnitude = ToMatrix(weight, layout.rows, layout.columns);
    pruned.mask = MagnitudeMask(weight, layout, ChoosePartners(magnitude.array().square(), layout, pool), options.rule);
  } else {
    pruned.mask = MagnitudeMask(weight, layout, options.rule);
  }
  ApplyMask(pruned.mask, pruned.weight);
  pruned.saliency_kept = SaliencyKept(weight, pruned.mask);
  pruned.output_error = 1 - pruned.saliency_kept;
  return pruned;
}

}  // namespace

Result<LayerFit> FitLayer(const WeightLayer& layer, const Tensor& weight, std::vector<MomentFolds> moments,
                          LayerTask task, const PruneOptions& options, ThreadPool& pool) {
  WeightLayout layout = layer.layout;
  layout.rows /= layer.groups;
  ReconstructOptions settings = options.reconstruct;
  settings.free_bias = layer.bias && (task.prune || options.rounding.move_bias);
  const bool reconstruct = FitsOutputs(options.method);
  // What damping fits best is asked of masks and weights together.
  if (!(task.prune && reconstruct) && settings.damping <= 0) settings.damping = kUsualDamping;
  const auto append = [](const auto& part, auto* whole) { whole->insert(whole->end(), part.begin(), part.end()); };
  LayerFit fit;
  fit.saliency_kept = 0;
  for (int64_t g = 0; g < layer.groups; ++g) {
    const auto count = static_cast<size_t>(layout.rows * layout.columns);
    const std::span<const float> dense = weight.Span<float>().subspan(static_cast<size_t>(g) * count, count);
    std::optional<Objective> objective;
    if (!moments.empty()) {
      MomentFolds& folds = moments[static_cast<size_t>(g)];
      std::vector<Moments> both;
      for (Moments& fold : folds) both.push_back(std::move(fold));
      objective.emplace(MakeObjective(dense, layout, std::move(both), settings, pool));
    }
    PrunedWeight part;
    if (!task.prune) {
      part.weight.assign(dense.begin(), dense.end());
    } else if (!objective) {
      part = PruneBlind(dense, layout, settings, pool);
    } else if (reconstruct) {
      TAMIS_ASSIGN_OR_RETURN(part, Reconstruct(*objective, layout, settings, pool));
    } else {
      const bool activation = options.method == PruneOptions::Method::kActivation;
      part = PruneBySaliency(*objective, layout, activation ? Saliency::kActivation : Saliency::kMagnitude, settings,
                             pool);
    }
    if (task.round && objective) {
      const std::vector<float> scales = QuantizeRows(part.weight, layout.rows, options.rounding.clip).scales;
      RoundedWeight rounded = RoundToCodes(*objective, part.weight, scales, pool);
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
