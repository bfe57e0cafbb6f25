#include "src/compiler/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "src/base/hash.h"
#include "src/compiler/calibrate/calibrate.h"
#include "src/compiler/calibrate/check_samples.h"
#include "src/compiler/calibrate/coverage.h"
#include "src/compiler/plan/layer_weight.h"
#include "src/compiler/quantize/quantize_balance.h"
#include "src/passes/channels_last.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/quantize/weight_codes.h"

namespace tamis {
namespace {

constexpr std::string_view kCodesSuffix = "_codes";          // of a weight's codes, and of a product's in a fused graph
constexpr std::string_view kNumbersSuffix = "_dequantized";  // of what DequantizeLinear makes of them

// A product with a constant weight.
struct Layer {
  NodeId node = kNoNode;
  bool conv = false;
  bool outputs_first = false;  // the weight is [outputs][...], not [inputs][outputs]
  QuantizedLayer report;
};

bool MovesCodes(const Node& node) {
  return node.Is("MaxPool") || node.Is("Reshape") || node.Is("Flatten") || node.Is("Squeeze");
}

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
    FindLayers();
    TAMIS_RETURN_IF_ERROR(CheckKeep());
    FindTensors();
    if (batches.empty()) return UserError("quantisation needs samples of the network's inputs");
    TAMIS_RETURN_IF_ERROR(CheckInputs(graph_, batches));
    TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, options_.statistics));
    if (options_.balance) {
      TAMIS_ASSIGN_OR_RETURN(balanced_, BalanceActivations(graph_, BalanceSites(), statistics_));
      if (!balanced_.empty()) {  // ids have changed, and ranges with them
        layers_.clear();
        tensors_.clear();
        spatial_.clear();
        FindLayers();
        FindTensors();
        TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, options_.statistics));
      }
    }
    if (prune_ != nullptr || options_.descend) TAMIS_RETURN_IF_ERROR(FitWeights(batches));
    if (prune_ != nullptr) TAMIS_RETURN_IF_ERROR(CollectStatistics(batches, nullptr));
    RememberNames();
    ChooseMaps();
    {
      Rewriter rewriter(graph_);
      for (Layer& layer : layers_) {
        if (layer.report.quantized) QuantizeWeight(rewriter, &layer);
      }
      for (const ValueId value : tensors_) InsertCodes(rewriter, value);
    }
    TAMIS_RETURN_IF_ERROR(graph_.Sort());
    graph_.Compact();
    return Report(batches);
  }
  PruneReport TakePruned() { return std::move(pruned_); }

  // As CollectForLayersAlone.
  Status CollectAlone(std::span<const NamedTensors> batches) {
    std::map<std::string, TensorStatistics>& known = *options_.statistics;
    FindLayers();
    FindTensors();
    std::map<ValueId, std::string> keys;
    for (const BalanceSite& site : BalanceSites()) {
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
    for (const ValueId value : tensors_) {
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
    TAMIS_ASSIGN_OR_RETURN(auto collected, Calibrate(graph_, unknown, spatial_, batches, calibrate));
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
    for (const Layer& layer : layers_) {
      if (layer.report.quantized) options.rounding.layers.insert(layer.report.name);
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

  // Activations that only matrix products read as codes.
  std::vector<BalanceSite> BalanceSites() const {
    std::map<ValueId, BalanceSite> sites;
    for (const Layer& layer : layers_) {
      const ValueId x = graph_.node(layer.node).input(0);
      if (!layer.report.quantized || layer.conv || spatial_.count(x) != 0) continue;
      sites[x].activation = x;
      sites[x].products.push_back(layer.node);
    }
    std::vector<BalanceSite> list;
    for (auto& [x, site] : sites) list.push_back(std::move(site));
    return list;
  }

  void FindLayers() {
    const auto named = [&](const std::string& name) {
      return std::find(options_.keep.begin(), options_.keep.end(), name) != options_.keep.end();
    };
    for (const NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      const bool conv = node.Is("Conv"), gemm = node.Is("Gemm");
      if (!conv && !gemm && !node.Is("MatMul")) continue;
      const Tensor* weight = graph_.ConstantInput(node, 1);
      if (weight == nullptr || !IsFloat(weight->dtype()) || weight->rank() < 2) continue;
      Layer layer;
      layer.node = id;
      layer.conv = conv;
      layer.outputs_first = conv || (gemm && node.Int("transB", 0) != 0);
      layer.report.name = graph_.value(node.input(1)).name;
      layer.report.node = node.name.empty() ? graph_.value(node.outputs[0]).name : node.name;
      layer.report.op = node.op;
      layer.report.reason = ReasonToStay(node, *weight);
      if (layer.report.reason.empty() && (named(layer.report.name) || named(layer.report.node))) {
        layer.report.reason = "kept float as asked";
      }
      layer.report.quantized = layer.report.reason.empty();
      layers_.push_back(std::move(layer));
    }
  }

  std::string ReasonToStay(const Node& node, const Tensor& weight) const {
    if (weight.dtype() != DType::kFloat32) return fmt::format("its weight is {}, not float32", Name(weight.dtype()));
    const Value& x = graph_.value(node.input(0));
    if (x.IsConstant() || x.type.dtype != DType::kFloat32) return "its input is constant or not float32";
    if (!node.Is("Conv") && weight.rank() != 2)
      return fmt::format("a constant of rank {}, not a matrix", weight.rank());
    if (node.Is("Gemm") && (node.Float("alpha", 1) != 1 || node.Float("beta", 1) != 1 || node.Int("transA", 0) != 0)) {
      return "it scales or transposes its operands";
    }
    constexpr int64_t kDeepest = int64_t{1} << 15;  // sums in int32 stay exact
    const int64_t outputs = weight.dim(node.Is("MatMul") || (node.Is("Gemm") && node.Int("transB", 0) == 0) ? 1 : 0);
    if (outputs > 0 && weight.NumElements() / outputs > kDeepest) return "sums of more than 32768 products";
    return "";
  }

  Status CheckKeep() const {
    std::string unknown, known;
    for (const std::string& name : options_.keep) {
      const bool found = std::any_of(layers_.begin(), layers_.end(), [&](const Layer& layer) {
        return layer.report.name == name || layer.report.node == name;
      });
      if (!found) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
    }
    if (unknown.empty()) return {};
    for (const Layer& layer : layers_) known += (known.empty() ? "" : ", ") + layer.report.name;
    return UserError("no layer is called {}; there are: {}", unknown, known);
  }

  bool IsActivation(ValueId value) const {
    return value != kNoValue && !graph_.value(value).IsConstant() && graph_.value(value).type.dtype == DType::kFloat32;
  }

  // What products read, and, where images go through, what sums, pools and concatenations between them read.
  void FindTensors() {
    std::set<ValueId> convolved;  // what int8 convolutions make, and what follows from it among images
    for (const Layer& layer : layers_) {
      if (!layer.report.quantized) continue;
      const Node& node = graph_.node(layer.node);
      tensors_.insert(node.input(0));
      if (layer.conv) spatial_.insert(node.input(0));
    }
    std::map<NodeId, bool> int8_conv;
    for (const Layer& layer : layers_) int8_conv[layer.node] = layer.conv && layer.report.quantized;
    for (const NodeId id : graph_.NodeIds()) {
      const Node& node = graph_.node(id);
      if (!node.domain.empty() || node.outputs.empty()) continue;
      const bool known = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](ValueId input) { return convolved.count(input) != 0; });
      if (const auto found = int8_conv.find(id); found != int8_conv.end() && found->second) {
        convolved.insert(node.outputs[0]);
        continue;
      }
      if (!known || RankOf(graph_, node.outputs[0]) < 3) continue;
      const bool joins = node.Is("Add") || node.Is("Concat");
      const bool pools = node.Is("MaxPool") || node.Is("GlobalAveragePool");
      const bool passes = node.Is("Relu") || node.Is("Clip") || node.Is("HardSwish") || node.Is("Sigmoid");
      if (!joins && !pools && !passes) continue;
      convolved.insert(node.outputs[0]);
      if (passes || (node.Is("Add") && !SameShape(graph_, node.input(0), node.input(1)))) continue;
      for (const ValueId input : node.inputs) {
        if (!IsActivation(input)) continue;
        tensors_.insert(input);
        spatial_.insert(input);
      }
    }
    // What is coded behind a node that only moves elements is coded before it.
    std::vector<ValueId> open(tensors_.begin(), tensors_.end());
    while (!open.empty()) {
      const ValueId value = open.back();
      open.pop_back();
      const ValueId source = CodesBefore(value);
      if (source == kNoValue || !tensors_.insert(source).second) continue;
      spatial_.insert(source);
      open.push_back(source);
    }
  }

  // The value whose codes a pool, or a view of pooled values, hands on; kNoValue otherwise.
  ValueId CodesBefore(ValueId value) const {
    const NodeId id = graph_.value(value).producer;
    if (id == kNoNode || !MovesCodes(graph_.node(id)) || RankOf(graph_, graph_.node(id).input(0)) < 3) return kNoValue;
    const ValueId source = graph_.node(id).input(0);
    if (graph_.node(id).Is("MaxPool")) return source;
    const NodeId before = graph_.value(source).producer;
    const bool pooled =
        before != kNoNode && (graph_.node(before).Is("GlobalAveragePool") || graph_.node(before).Is("MaxPool"));
    return pooled ? source : kNoValue;
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
    for (const ValueId value : tensors_) {
      maps_[value] = ChooseMap(statistics_.at(value).histogram, dtype, options_.observer);
    }
    for (const ValueId value : tensors_) {
      ValueId source = value;
      while (CodesBefore(source) != kNoValue && tensors_.count(CodesBefore(source)) != 0) source = CodesBefore(source);
      maps_[value] = maps_.at(source);
    }
  }

  static Tensor Floats(const std::vector<float>& values) {
    return Tensor::Of<float>(DType::kFloat32, {static_cast<int64_t>(values.size())}, std::span<const float>(values));
  }

  void QuantizeWeight(Rewriter& rewriter, Layer* layer) {
    const ValueId weight_id = graph_.node(layer->node).input(1), x = graph_.node(layer->node).input(0);
    const std::string name = graph_.value(weight_id).name;
    const Tensor original = *graph_.value(weight_id).constant;
    const Tensor rows = layer->outputs_first ? original : Transposed(original, {1, 0});
    const int64_t outputs = rows.dim(0), columns = rows.NumElements() / std::max<int64_t>(outputs, 1);
    const auto rounded = pruned_.rounded.find(name);
    const bool given = rounded != pruned_.rounded.end();
    const WeightCodes codes = given ? QuantizeRowsAt(rows.Span<float>(), rounded->second.scales)
                                    : QuantizeRows(rows.Span<float>(), outputs, options_.clip_weights);
    layer->report.weight_error = given ? rounded->second.weight_error : codes.relative_error;
    const Tensor coded = Tensor::Of<int8_t>(DType::kInt8, rows.dims(), std::span<const int8_t>(codes.codes));
    const ValueId code_id = rewriter.AddConstant(name + std::string(kCodesSuffix),
                                                 layer->outputs_first ? coded : Transposed(coded, {1, 0}));
    const ValueId scale_id = rewriter.AddConstant(name + "_scales", Floats(codes.scales));
    const ValueId zero_id = rewriter.AddConstant(name + "_zeros", Tensor(DType::kInt8, {outputs}));
    const ValueId dequantized = rewriter.Append(
        "DequantizeLinear", "", {code_id, scale_id, zero_id}, {{"axis", int64_t{layer->outputs_first ? 0 : 1}}},
        name + std::string(kNumbersSuffix), Type::Tensor(DType::kFloat32, ToShape(original.dims())));
    rewriter.SetInput(layer->node, 1, dequantized);

    std::vector<float> shift(static_cast<size_t>(outputs), 0);
    if (options_.correct_bias) shift = MeanErrors(*layer, rows, codes, columns);
    if (graph_.node(layer->node).Is("MatMul")) {
      layer->report.bias_moved = options_.correct_bias && ShiftAddend(rewriter, layer->node, shift);
    } else {
      layer->report.bias_moved = options_.correct_bias;
      QuantizeBias(rewriter, layer->node, name, shift, codes.scales, maps_.at(x).scale);
    }
  }

  // What to add to each output so that its mean is the float weight's: sum_k (W - W^) E[x].
  std::vector<float> MeanErrors(const Layer& layer, const Tensor& rows, const WeightCodes& codes,
                                int64_t columns) const {
    const std::vector<double>& means = statistics_.at(graph_.node(layer.node).input(0)).means;
    const int64_t outputs = rows.dim(0);
    const int64_t taps = layer.conv ? columns / rows.dim(1) : 1, channels = columns / taps;
    const int64_t group = layer.conv ? graph_.node(layer.node).Int("group", 1) : 1, filters = outputs / group;
    std::vector<float> shift(static_cast<size_t>(outputs), 0);
    if (static_cast<int64_t>(means.size()) != channels * group) return shift;
    const float* w = rows.Data<float>();
    for (int64_t n = 0; n < outputs; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < columns; ++k) {
        const auto at = static_cast<size_t>(n * columns + k);
        const double error =
            static_cast<double>(w[at]) - static_cast<double>(codes.scales[static_cast<size_t>(n)]) * codes.codes[at];
        sum += error * means[static_cast<size_t>(n / filters * channels + k / taps)];
      }
      shift[static_cast<size_t>(n)] = static_cast<float>(sum);
    }
    return shift;
  }

  // The bias of a Conv or Gemm as int32 in units of the products.
  void QuantizeBias(Rewriter& rewriter, NodeId id, const std::string& name, std::vector<float> bias,
                    const std::vector<float>& scales, float x_scale) {
    const Tensor* old = graph_.ConstantInput(graph_.node(id), 2);
    const bool given = graph_.node(id).input(2) != kNoValue;
    if (given && (old == nullptr || old->NumElements() != static_cast<int64_t>(bias.size()))) return;
    if (!given && !options_.correct_bias) return;
    Tensor codes(DType::kInt32, {static_cast<int64_t>(bias.size())});
    std::vector<float> units;
    for (size_t n = 0; n < bias.size(); ++n) {
      if (given) bias[n] += old->Data<float>()[n];
      const double unit = static_cast<double>(x_scale) * static_cast<double>(scales[n]);
      units.push_back(static_cast<float>(unit));
      codes.Data<int32_t>()[n] =
          static_cast<int32_t>(std::clamp(std::nearbyint(bias[n] / unit), -2147483648.0, 2147483647.0));
    }
    const Shape shape = ToShape(codes.dims());
    const ValueId code_id = rewriter.AddConstant(name + "_bias_codes", std::move(codes));
    const ValueId unit_id = rewriter.AddConstant(name + "_bias_units", Floats(units));
    const ValueId dequantized = rewriter.Append("DequantizeLinear", "", {code_id, unit_id}, {{"axis", int64_t{0}}},
                                                name + "_bias_dequantized", Type::Tensor(DType::kFloat32, shape));
    if (graph_.node(id).inputs.size() > 2) {
      rewriter.SetInput(id, 2, dequantized);
      return;
    }
    const Node& node = graph_.node(id);
    std::vector<ValueId> inputs = node.inputs;
    inputs.resize(3, kNoValue);
    inputs[2] = dequantized;
    rewriter.Replace(id, MakeNode(node.op, "", std::move(inputs), node.outputs, node.attributes, node.name));
  }

  // A MatMul's bias is the constant that its only reader adds.
  bool ShiftAddend(Rewriter& rewriter, NodeId id, const std::vector<float>& shift) {
    const ValueId product = graph_.node(id).outputs[0];
    if (!rewriter.SingleUse(product)) return false;
    const NodeId reader = rewriter.Users(product)[0];
    const auto addend = graph_.node(reader).Is("Add") ? OtherOperand(graph_.node(reader), product) : std::nullopt;
    if (!addend || !graph_.value(*addend).IsConstant()) return false;
    Tensor bias = graph_.value(*addend).constant->Clone();
    if (bias.dtype() != DType::kFloat32 || bias.NumElements() != static_cast<int64_t>(shift.size()) ||
        bias.dim(-1) != bias.NumElements()) {
      return false;
    }
    for (size_t n = 0; n < shift.size(); ++n) bias.Data<float>()[n] += shift[n];
    const size_t index = graph_.node(reader).input(0) == *addend ? 0 : 1;
    rewriter.SetInput(reader, index, rewriter.ChangedConstant(*addend, std::move(bias)));
    return true;
  }

  // Every node that reads the value reads it by way of its codes; an output of the network stays what it is.
  void InsertCodes(Rewriter& rewriter, ValueId value) {
    const CodeMap map = maps_.at(value);
    const std::string name = graph_.value(value).name;
    const Type type = graph_.value(value).type;
    const std::vector<NodeId> users = rewriter.Users(value);
    Tensor zero(map.dtype, Dims{});
    zero.raw()[0] = static_cast<std::byte>(map.zero);
    const ValueId scale_id = rewriter.AddConstant(name + "_scale", Tensor::Float(map.scale));
    const ValueId zero_id = rewriter.AddConstant(name + "_zero_point", std::move(zero));
    Type code_type = type;
    code_type.dtype = map.dtype;
    const ValueId codes =
        rewriter.Append("QuantizeLinear", "", {value, scale_id, zero_id}, {}, name + "_quantized", code_type);
    const ValueId numbers =
        rewriter.Append("DequantizeLinear", "", {codes, scale_id, zero_id}, {}, name + "_coded", type);
    for (const NodeId user : std::set<NodeId>(users.begin(), users.end())) {
      for (size_t i = 0; i < graph_.node(user).inputs.size(); ++i) {
        if (graph_.node(user).input(i) == value) rewriter.SetInput(user, i, numbers);
      }
    }
  }

  QuantizeReport Report(std::span<const NamedTensors> batches) {
    QuantizeReport report;
    for (const BalancedActivation& balanced : balanced_) report.balanced.push_back(balanced.name);
    report.notes = pruned_.notes;
    for (Layer& layer : layers_) report.layers.push_back(std::move(layer.report));
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
  std::vector<Layer> layers_;
  std::set<ValueId> tensors_, spatial_;
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
