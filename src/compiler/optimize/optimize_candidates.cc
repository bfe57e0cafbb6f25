#include "src/compiler/optimize/optimize_candidates.h"

#include <algorithm>

#include "src/compiler/prune/prune_write_back.h"
#include "src/compiler/prune/pruner.h"

namespace tamis {

Result<std::unique_ptr<Candidates>> Candidates::Make(const Network& network, std::vector<NamedTensors> fit,
                                                     const PruneOptions& prune, const QuantizeOptions& quantize,
                                                     std::shared_ptr<ThreadPool> pool) {
  std::unique_ptr<Candidates> candidates(new Candidates(network, std::move(fit), prune, quantize, std::move(pool)));
  candidates->quantize_.statistics = &candidates->statistics_;
  TAMIS_RETURN_IF_ERROR(candidates->FindLayers());
  return candidates;
}

Status Candidates::FindLayers() {
  TAMIS_ASSIGN_OR_RETURN(fused_, Fuse(network_.graph, {}));
  const std::vector<WeightLayer> weights = FindWeightLayers(network_.graph, fused_, LayerRules{.keep = prune_.keep});
  TAMIS_RETURN_IF_ERROR(CheckKeep(weights, prune_.keep));
  TAMIS_RETURN_IF_ERROR(CheckFinite(fused_, weights));
  std::map<std::string, size_t> places;
  const auto place = [&](const std::string& name) -> CandidateLayer& {
    const auto [found, fresh] = places.emplace(name, layers_.size());
    if (fresh) {
      layers_.emplace_back().name = name;
      const ValueId value = FindValue(network_.graph, name);
      if (value != kNoValue && network_.graph.value(value).constant) {
        layers_.back().elements = network_.graph.value(value).constant->NumElements();
      }
      layers_.back().sparse_reason = layers_.back().int8_reason = "no product multiplies by it";
    }
    return layers_[found->second];
  };
  for (const WeightLayer& weight : weights) {
    CandidateLayer& layer = place(weight.initializer);
    layer.node = weight.node;
    layer.op = weight.op;
    layer.sparse_reason = weight.reason;
  }
  Graph quantized = network_.graph.Clone();
  if (quantized.Opset() < kOldestQuantizedOpset) {
    for (CandidateLayer& layer : layers_) {
      layer.int8_reason =
          fmt::format("the network is of operator set {}, int8 needs {}", quantized.Opset(), kOldestQuantizedOpset);
    }
    return {};
  }
  TAMIS_ASSIGN_OR_RETURN(const QuantizeReport report, Quantize(quantized, fit_, quantize_));
  TAMIS_RETURN_IF_ERROR(CollectForLayersAlone(network_.graph, fit_, quantize_));
  verdict_ = report.verdict;
  for (const QuantizedLayer& weight : report.layers) {
    CandidateLayer& layer = place(weight.name);
    if (layer.node.empty()) layer.node = weight.node;
    if (layer.op.empty()) layer.op = weight.op;
    layer.int8_reason = weight.reason;
    layer.weight_error = weight.weight_error;
    const auto kept = [&](const std::string& name) { return name == layer.name || name == weight.node; };
    if (std::any_of(prune_.keep.begin(), prune_.keep.end(), kept)) layer.int8_reason = "kept as asked";
    int8_names_.insert(weight.name);
  }
  return {};
}

std::vector<std::string> Candidates::FloatLayers(const Assignment& assignment) const {
  std::vector<std::string> names;
  for (const std::string& name : int8_names_) {
    if (!SettingOf(assignment, name).IsInt8()) names.push_back(name);
  }
  return names;
}

Status Candidates::FitAlone(LayerPattern pattern, const std::set<std::string>& layers) {
  PruneOptions options = prune_;
  options.reconstruct.paired = pattern == LayerPattern::kPaired;
  for (const CandidateLayer& layer : layers_) {
    if (layer.sparse_reason.empty() && layers.count(layer.name) == 0) options.keep.push_back(layer.name);
  }
  Graph unfused = network_.graph.Clone(), alone = fused_.Clone();
  Pruner pruner(unfused, alone, options, Pruner::Mode::kAlone, pool_);
  TAMIS_ASSIGN_OR_RETURN(const PruneReport report, pruner.Run(fit_));
  for (const LayerReport& line : report.layers) {
    for (CandidateLayer& layer : layers_) {
      if (layer.name == line.name && line.pattern != "dense") layer.alone[static_cast<size_t>(pattern)] = line;
    }
  }
  fits_[pattern] = {pruner.layers(), pruner.fits()};
  return {};
}

Result<Graph> Candidates::Draft(const Assignment& assignment, bool codes_exact, QuantizeReport* report) {
  return Assemble(assignment, fits_, codes_exact, report);
}

Result<Graph> Candidates::Outline(const Assignment& assignment) {
  for (const LayerPattern pattern : {LayerPattern::kTwoFour, LayerPattern::kPaired}) {
    const bool wanted = std::any_of(assignment.begin(), assignment.end(),
                                    [&](const auto& layer) { return layer.second.pattern == pattern; });
    if (!wanted || outlines_.count(pattern) != 0) continue;
    PruneOptions options = prune_;
    options.method = PruneOptions::Method::kMagnitude;
    options.reconstruct.paired = pattern == LayerPattern::kPaired;
    Graph unfused = network_.graph.Clone(), alone = fused_.Clone();
    Pruner pruner(unfused, alone, options, Pruner::Mode::kAlone, pool_);
    TAMIS_RETURN_IF_ERROR(pruner.Run({}).status());
    outlines_[pattern] = {pruner.layers(), pruner.fits()};
  }
  return Assemble(assignment, outlines_, false, nullptr);
}

Result<Graph> Candidates::Assemble(const Assignment& assignment, const FitsByPattern& fits, bool codes_exact,
                                   QuantizeReport* report) const {
  Graph graph = network_.graph.Clone();
  if (CountSparse(assignment) > 0) {
    Graph fused = fused_.Clone();
    for (const auto& [pattern, of_pattern] : fits) {
      for (const WeightLayer& part : of_pattern.parts) {
        const auto fit = of_pattern.fits.find(part.weight);
        if (fit == of_pattern.fits.end() || SettingOf(assignment, part.initializer).pattern != pattern) continue;
        TAMIS_RETURN_IF_ERROR(WriteBack(part, fit->second.weight, fit->second.bias_delta, graph, fused));
      }
    }
  }
  if (CountInt8(assignment) > 0) {
    QuantizeOptions options = quantize_;
    options.keep = FloatLayers(assignment);
    options.clip_weights = options.clip_weights && codes_exact;
    options.balance = options.balance && codes_exact;
    options.progress = nullptr;
    TAMIS_ASSIGN_OR_RETURN(QuantizeReport quantized, Quantize(graph, fit_, options));
    if (report != nullptr) *report = std::move(quantized);
  }
  return graph;
}

Result<PrunedNetwork> Candidates::InOrder(const Assignment& assignment) {
  PrunedNetwork network;
  network.graph = network_.graph.Clone();
  PruneOptions prune = prune_;
  QuantizeOptions quantize = quantize_;
  quantize.keep = FloatLayers(assignment);
  if (CountSparse(assignment) > 0) {
    for (const CandidateLayer& layer : layers_) {
      const LayerPattern pattern = SettingOf(assignment, layer.name).pattern;
      if (pattern == LayerPattern::kPaired) prune.paired.push_back(layer.name);
      if (layer.sparse_reason.empty() && pattern == LayerPattern::kDense) prune.keep.push_back(layer.name);
    }
  }
  if (CountSparse(assignment) > 0 && CountInt8(assignment) > 0) {
    TAMIS_ASSIGN_OR_RETURN(PrunedAndQuantized both, PruneAndQuantize(network.graph, fit_, prune, quantize, pool_));
    network.prune = std::move(both.prune);
    network.quantize = std::move(both.quantize);
  } else if (CountSparse(assignment) > 0) {
    TAMIS_ASSIGN_OR_RETURN(network.prune, Prune(network.graph, fit_, prune, pool_));
  } else if (CountInt8(assignment) > 0) {
    TAMIS_ASSIGN_OR_RETURN(network.quantize, Quantize(network.graph, fit_, quantize));
  }
  return network;
}

}  // namespace tamis
