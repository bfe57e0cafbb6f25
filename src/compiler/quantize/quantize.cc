#include "src/compiler/quantize/quantize.h"

#include <algorithm>
#include <map>
#include <set>

#include "src/base/hash.h"
#include "src/compiler/calibrate/calibrate.h"
#include "src/compiler/calibrate/check_samples.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/plan/layer_weight.h"
#include "src/compiler/quantize/qdq_writer.h"
#include "src/compiler/quantize/quantize_balance.h"
#include "src/compiler/quantize/quantize_sites.h"

namespace tamis {
namespace {

class NetworkQuantizer {
 public:
  // `prune`: what the walk over the layers does beside rounding; null: nothing. `pool`: of that walk; null: its own.
  NetworkQuantizer(Graph& graph, const QuantizeOptions& options, const PruneOptions* prune,
                   std::shared_ptr<ThreadPool> pool)
      : graph_(graph), options_(options), prune_(prune), pool_(std::move(pool)) {}

  Result<QuantizeReport> Run(std::span<const NamedTensors> batches) {
    if (graph_.Opset() < kOldestQuantizedOpset) {
      return UserError(
          "the network is of operator set {}; int8 weights with a scale an output need {} or newer: "
          "export it again, or convert it with onnx.version_converter",
          graph_.Opset(), kOldestQuantizedOpset);
    }
    TAMIS_ASSIGN_OR_RETURN(sites_, FindQuantizeSites(graph_, options_.keep));
    if (batches.empty()) return UserError("quantisation needs samples of the network's inputs");
    TAMIS_RETURN_IF_ERROR(CheckInputs(graph_, batches));
    TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, options_.statistics));
    if (options_.balance) {
      TAMIS_ASSIGN_OR_RETURN(balanced_, BalanceActivations(graph_, FindBalanceSites(graph_, sites_), statistics_));
      if (!balanced_.empty()) {  // ids have changed, and ranges with them
        TAMIS_ASSIGN_OR_RETURN(sites_, FindQuantizeSites(graph_, options_.keep));
        TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, options_.statistics));
      }
    }
    if (prune_ != nullptr || options_.descend) TAMIS_RETURN_IF_ERROR(FitWeights(batches));
    if (prune_ != nullptr) TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, nullptr));
    RememberNames();
    ChooseMaps();
    {
      QdqWriter writer(graph_, {maps_, statistics_, pruned_.rounded, options_.clip_weights, options_.correct_bias});
      for (QuantizeProduct& product : sites_.products) {
        if (product.report.quantized) writer.QuantizeWeight(&product);
      }
      for (const ValueId value : sites_.tensors) writer.InsertCodes(value);
    }
    TAMIS_RETURN_IF_ERROR(graph_.Sort());
    graph_.Compact();
    return Report(batches);
  }
  PruneReport TakePruned() { return std::move(pruned_); }

  // As CollectForLayersAlone.
  Status CollectAlone(std::span<const NamedTensors> batches) {
    std::map<std::string, TensorStatistics>& known = *options_.statistics;
    TAMIS_ASSIGN_OR_RETURN(sites_, FindQuantizeSites(graph_, options_.keep));
    std::map<ValueId, std::string> keys;
    for (const BalanceSite& site : FindBalanceSites(graph_, sites_)) {
      const auto of_site = known.find(graph_.value(site.activation).name);
      if (of_site == known.end()) continue;
      for (const NodeId product : site.products) {
        const BalancedActivation alone = {of_site->first, "",
                                          BalanceFactors(graph_, {site.activation, {product}}, of_site->second)};
        if (alone.factors.empty() || known.count(KeyOf(alone)) != 0) continue;
        Node scaled;
        scaled.op = "Mul";
        scaled.inputs = {site.activation, graph_.AddConstant(graph_.FreshName("factors"), Floats(alone.factors))};
        scaled.outputs = {graph_.AddValue(graph_.FreshName("balanced"), graph_.value(site.activation).type)};
        keys[scaled.outputs[0]] = KeyOf(alone);
        graph_.AddNode(std::move(scaled));
      }
    }
    constexpr size_t kTogether = 16;  // of a run: a batch's values of all of them are in memory at once
    CalibrateOptions calibrate;
    calibrate.threads = options_.threads;
    calibrate.cancelled = options_.cancelled;
    for (auto next = keys.begin(); next != keys.end();) {
      std::set<ValueId> values;
      for (; next != keys.end() && values.size() < kTogether; ++next) values.insert(next->first);
      TAMIS_ASSIGN_OR_RETURN(auto collected, Calibrate(graph_, values, {}, batches, calibrate));
      for (auto& [value, of_value] : collected) known[keys.at(value)] = std::move(of_value);
    }
    return {};
  }

 private:
  // What statistics are known by. Which factors an activation gets depends on the layers that read it as codes.
  static std::string KeyOf(const BalancedActivation& balanced) {
    return balanced.name + " times " +
           HexString(Hash64(balanced.factors.data(), balanced.factors.size() * sizeof(float)));
  }
  std::string KeyOf(ValueId value) const {
    const std::string& name = graph_.value(value).name;
    const auto found =
        std::find_if(balanced_.begin(), balanced_.end(), [&](const auto& balanced) { return balanced.scaled == name; });
    return found == balanced_.end() ? name : KeyOf(*found);
  }

  // Statistics of every tensor; those `known` of earlier calls are taken.
  Status CollectStatistics(std::span<const NamedTensors> batches, std::map<std::string, TensorStatistics>* known) {
    statistics_.clear();
    std::set<ValueId> unknown;
    for (const ValueId value : sites_.tensors) {
      const auto found = known == nullptr ? decltype(known->end())() : known->find(KeyOf(value));
      if (known == nullptr || found == known->end()) {
        unknown.insert(value);
      } else {
        statistics_[value] = found->second;
      }
    }
    if (unknown.empty()) return CheckStatistics();
    CalibrateOptions calibrate;
    calibrate.threads = options_.threads;
    calibrate.cancelled = options_.cancelled;
    if (options_.progress) {
      calibrate.progress = [this](int done, int total) { options_.progress(done, total, "batch"); };
    }
    TAMIS_ASSIGN_OR_RETURN(auto collected, Calibrate(graph_, unknown, sites_.spatial, batches, calibrate));
    for (auto& [value, of_value] : collected) {
      if (known != nullptr) (*known)[KeyOf(value)] = of_value;
      statistics_[value] = std::move(of_value);
    }
    return CheckStatistics();
  }

  // One walk in execution order, in which layers that are to be int8 are rounded and, as `prune_` says, made 2:4.
  Status FitWeights(std::span<const NamedTensors> batches) {
    PruneOptions options;
    if (prune_ != nullptr) options = *prune_;
    options.prune = prune_ != nullptr;
    for (const QuantizeProduct& product : sites_.products) {
      if (product.report.quantized) options.rounding.layers.insert(product.report.name);
    }
    options.rounding.clip = options_.clip_weights;
    options.rounding.move_bias = options_.correct_bias;
    if (prune_ == nullptr) {
      options.progress = options_.progress;
      options.cancelled = options_.cancelled;
    }
    if (pool_ == nullptr) pool_ = std::make_shared<ThreadPool>(options_.threads);
    TAMIS_ASSIGN_OR_RETURN(pruned_, Prune(graph_, batches, options, pool_));
    return {};
  }

  Status CheckStatistics() const {
    std::string broken;
    for (const auto& [value, of_value] : statistics_) {
      if (of_value.histogram.not_finite() > 0)
        broken += (broken.empty() ? "'" : ", '") + graph_.value(value).name + "'";
    }
    if (!broken.empty()) return UserError("with these samples {} are NaN or infinite somewhere", broken);
    return {};
  }

  void ChooseMaps() {
    const DType dtype = options_.signed_activations ? DType::kInt8 : DType::kUInt8;
    for (const ValueId value : sites_.tensors) {
      maps_[value] = ChooseMap(statistics_.at(value).histogram, dtype, options_.observer);
    }
    for (const ValueId value : sites_.tensors) {
      ValueId source = value;
      for (ValueId before = CodesBefore(graph_, source); sites_.tensors.count(before) != 0;
           before = CodesBefore(graph_, source)) {
        source = before;
      }
      maps_[value] = maps_.at(source);
    }
  }

  QuantizeReport Report(std::span<const NamedTensors> batches) {
    QuantizeReport report;
    for (const BalancedActivation& balanced : balanced_) report.balanced.push_back(balanced.name);
    report.notes = pruned_.notes;
    for (QuantizeProduct& product : sites_.products) report.layers.push_back(std::move(product.report));
    for (const NamedTensors& batch : batches) {
      if (!batch.empty() && batch.begin()->second.rank() > 0) report.samples += batch.begin()->second.dim(0);
    }
    std::vector<NamedGrowth> ranges;
    for (const auto& [value, of_value] : statistics_) {
      QuantizedTensor& tensor = report.tensors.emplace_back();
      tensor.name = names_.at(value);
      tensor.low = of_value.histogram.min();
      tensor.high = of_value.histogram.max();
      tensor.map = maps_.at(value);
      tensor.clipped = ClippedShare(of_value.histogram, tensor.map);
      tensor.growth = RangeGrowth(of_value);
      tensor.record =
          ToRecord(tensor.name, inputs_.count(value) != 0, report.samples, of_value.histogram, tensor.growth);
      ranges.push_back({tensor.name, tensor.growth});
    }
    const CoverageVerdict verdict = JudgeCoverage(ranges, report.samples, batches.size());
    report.settled = verdict.settled;
    report.verdict = verdict.text;
    return report;
  }

  // Names of values as they are before nodes are added and ids change.
  void RememberNames() {
    for (size_t i = 0; i < graph_.NumValues(); ++i) {
      names_[static_cast<ValueId>(i)] = graph_.value(static_cast<ValueId>(i)).name;
    }
    inputs_.insert(graph_.inputs.begin(), graph_.inputs.end());
  }

  Graph& graph_;
  const QuantizeOptions& options_;
  const PruneOptions* prune_;
  std::shared_ptr<ThreadPool> pool_;
  QuantizeSites sites_;
  std::map<ValueId, TensorStatistics> statistics_;
  std::map<ValueId, CodeMap> maps_;
  PruneReport pruned_;
  std::map<ValueId, std::string> names_;
  std::vector<BalancedActivation> balanced_;
  std::set<ValueId> inputs_;
};

}  // namespace

Result<bool> ParseActivations(const std::string& text) {
  if (text == "u8" || text == "s8") return text == "s8";
  return UserError("--activations '{}' is not known; use u8 or s8", text);
}

int64_t QuantizeReport::Quantized() const {
  return std::count_if(layers.begin(), layers.end(), [](const QuantizedLayer& layer) { return layer.quantized; });
}

Result<QuantizeReport> Quantize(Graph& simplified, std::span<const NamedTensors> batches,
                                const QuantizeOptions& options) {
  Graph graph = simplified.Clone();
  NetworkQuantizer quantizer(graph, options, nullptr, nullptr);
  TAMIS_ASSIGN_OR_RETURN(QuantizeReport report, quantizer.Run(batches));
  simplified = std::move(graph);
  return report;
}

Status CollectForLayersAlone(const Graph& simplified, std::span<const NamedTensors> batches,
                             const QuantizeOptions& options) {
  TAMIS_ASSERT(options.statistics != nullptr);
  if (!options.balance) return {};
  Graph graph = simplified.Clone();
  return NetworkQuantizer(graph, options, nullptr, nullptr).CollectAlone(batches);
}

Result<PrunedAndQuantized> PruneAndQuantize(Graph& simplified, std::span<const NamedTensors> batches,
                                            const PruneOptions& prune, const QuantizeOptions& quantize,
                                            std::shared_ptr<ThreadPool> pool) {
  Graph graph = simplified.Clone();
  PrunedAndQuantized reports;
  NetworkQuantizer quantizer(graph, quantize, &prune, std::move(pool));
  TAMIS_ASSIGN_OR_RETURN(reports.quantize, quantizer.Run(batches));
  reports.prune = quantizer.TakePruned();
  simplified = std::move(graph);
  return reports;
}

std::string WeightBehind(const Graph& fused, const Node& node) {
  const bool plain = node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv");
  const bool coded = node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv");
  const ValueId weight = plain || coded ? node.input(1) : kNoValue;
  if (weight == kNoValue || !fused.value(weight).constant) return {};
  return plain ? WeightName(fused, weight) : NameBeforeQuantize(WeightName(fused, weight));
}

std::string NameBeforeQuantize(const std::string& name) {
  std::string_view text = name;
  for (const std::string_view suffix : {kCodesSuffix, kNumbersSuffix}) {
    if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  }
  return std::string(text);
}

}  // namespace tamis
