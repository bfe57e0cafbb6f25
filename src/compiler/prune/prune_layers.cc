#include "src/compiler/prune/prune_layers.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <unordered_map>

namespace tamis {
namespace {

bool IsFusedProduct(const Node& node) {
  return node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv");
}

// Operators of ONNX whose constant operand is a weight, though not one that 2:4 is defined for here.
std::optional<size_t> UnfusedWeightInput(const Graph& graph, const Node& node) {
  const auto is_weight = [&](size_t i) {
    const Tensor* tensor = graph.ConstantInput(node, i);
    return tensor != nullptr && IsFloat(tensor->dtype()) && tensor->rank() >= 2;
  };
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Gather" && is_weight(0)) return 0;
  for (const char* op : {"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"}) {
    for (size_t i : {size_t{1}, size_t{0}}) {
      if (node.op == op && is_weight(i)) return i;
    }
  }
  return std::nullopt;
}

std::string ReasonForUnfused(const Node& node, const Tensor& weight) {
  if (node.op == "Gather") return "a table: its rows are looked up, not multiplied";
  if (node.op == "ConvTranspose") return "transposed convolutions have no 2:4 kernel";
  if (weight.rank() > 2 && node.op != "Conv") return fmt::format("a constant of rank {}, not a matrix", weight.rank());
  return fmt::format("this form of {} has no 2:4 kernel", node.op);
}

std::string ReasonByShape(const WeightLayer& layer, const LayerRules& rules) {
  const int64_t outputs = layer.layout.rows / layer.groups;
  const bool conv = layer.op == "ChannelsLastConv";
  if (conv && layer.groups > 1 && layer.layout.run == 1) return "depthwise: one input channel for each output";
  if (layer.layout.run < kGroup) {
    return fmt::format("{} input {}{}, a group needs {}", layer.layout.run, conv ? "channel" : "feature",
                       layer.layout.run == 1 ? "" : "s", kGroup);
  }
  if (outputs < rules.least_outputs) {
    return fmt::format("{} outputs{}: fewer than the {} lanes of one vector", outputs,
                       layer.groups > 1 ? " in each group" : "", rules.least_outputs);
  }
  return "";
}

bool ReadsAsWeight(const Node& node) {
  return node.domain.empty() && (node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul");
}

std::string ReasonByUse(const Graph& simplified, const Graph& fused, const WeightLayer& layer, ValueId source,
                        const std::vector<std::vector<NodeId>>& simplified_users) {
  const Tensor& weight = *fused.value(layer.weight).constant;
  if (weight.dtype() != DType::kFloat32) return fmt::format("its elements are {}, not float32", Name(weight.dtype()));
  if (!fused.value(layer.weight).origin) return "computed from other constants";
  if (source == kNoValue || !simplified.value(source).IsConstant()) return "not a constant of the unfused network";
  for (const NodeId id : simplified_users[static_cast<size_t>(source)]) {
    const Node& user = simplified.node(id);
    if (!ReadsAsWeight(user) || user.input(1) != source) {
      return fmt::format("{} '{}' reads it too", user.op, user.name.empty() ? layer.initializer : user.name);
    }
  }
  return "";
}

bool HoldsOnePerOutput(const Graph& graph, ValueId value, int64_t outputs) {
  if (value == kNoValue || !graph.value(value).IsConstant()) return false;
  const Tensor& tensor = *graph.value(value).constant;
  return tensor.dtype() == DType::kFloat32 && tensor.NumElements() == outputs && tensor.rank() >= 1 &&
         tensor.dim(-1) == outputs;
}

std::optional<BiasSlot> FindBias(const Graph& simplified, ValueId weight,
                                 const std::vector<std::vector<NodeId>>& users) {
  const auto& readers = users[static_cast<size_t>(weight)];
  if (readers.size() != 1) return std::nullopt;
  const Node& node = simplified.node(readers[0]);
  const Tensor& tensor = *simplified.value(weight).constant;
  if (node.Is("Conv") || node.Is("Gemm")) {
    const bool outputs_first = node.Is("Conv") || node.Int("transB", 0) != 0;
    const int64_t outputs = tensor.dim(outputs_first ? 0 : 1);
    if (node.Is("Gemm") && (node.Float("beta", 1) != 1 || node.Float("alpha", 1) != 1)) return std::nullopt;
    if (node.input(2) != kNoValue && !HoldsOnePerOutput(simplified, node.input(2), outputs)) return std::nullopt;
    return BiasSlot{readers[0], 2};
  }
  const ValueId product = node.outputs[0];
  const auto& next = users[static_cast<size_t>(product)];
  if (next.size() != 1 || simplified.IsOutput(product) || !simplified.node(next[0]).Is("Add")) return std::nullopt;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (HoldsOnePerOutput(simplified, simplified.node(next[0]).inputs[i], tensor.dim(-1))) return BiasSlot{next[0], i};
  }
  return std::nullopt;
}

bool Names(const std::vector<std::string>& names, const WeightLayer& layer) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name == layer.initializer || name == layer.node; });
}

// One initializer may have become several fused constants. Rows of its own make each a layer; constants that overlap,
// or another part that must stay dense, keep all of it dense.
void AgreeOnParts(std::vector<WeightLayer>* layers) {
  const auto end_of = [](const WeightLayer& layer) { return layer.origin.row_begin + layer.layout.rows; };
  std::unordered_map<std::string, std::vector<size_t>> parts;
  for (size_t i = 0; i < layers->size(); ++i) parts[(*layers)[i].initializer].push_back(i);
  for (WeightLayer& a : *layers) {
    for (const size_t i : parts.at(a.initializer)) {
      const WeightLayer& b = (*layers)[i];
      if (&a == &b || !a.reason.empty()) continue;
      const bool overlap = a.origin.row_begin < end_of(b) && b.origin.row_begin < end_of(a);
      a.reason = !b.reason.empty() ? b.reason : overlap ? "nodes of different kinds read it" : "";
    }
  }
}

}  // namespace

ValueId FindValue(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

std::vector<WeightLayer> FindWeightLayers(const Graph& simplified, const Graph& fused, const LayerRules& rules) {
  const auto simplified_users = simplified.Users();
  const auto fused_users = fused.Users();
  std::unordered_map<std::string_view, ValueId> by_name;  // of `simplified`
  for (size_t i = 0; i < simplified.NumValues(); ++i) {
    by_name.emplace(simplified.value(static_cast<ValueId>(i)).name, static_cast<ValueId>(i));
  }
  std::vector<WeightLayer> layers;
  std::set<ValueId> seen;
  for (const NodeId id : fused.NodeIds()) {
    const Node& node = fused.node(id);
    const bool product = IsFusedProduct(node) && fused.ConstantInput(node, 1) != nullptr;
    const std::optional<size_t> operand = product ? std::optional<size_t>(1) : UnfusedWeightInput(fused, node);
    if (!operand || !seen.insert(node.inputs[*operand]).second) continue;
    WeightLayer layer;
    layer.weight = node.inputs[*operand];
    const Value& value = fused.value(layer.weight);
    layer.op = node.op;
    layer.node = node.name.empty() ? fused.value(node.outputs[0]).name : node.name;
    layer.origin = value.origin.value_or(WeightOrigin{value.name});
    layer.initializer = layer.origin.initializer;
    layer.layout = LayoutOf(value.constant->dims());
    layer.groups = node.IsTamis("ChannelsLastConv") ? node.Int("group", 1) : 1;
    layer.users = fused_users[static_cast<size_t>(layer.weight)];
    if (!product) {
      layer.reason = ReasonForUnfused(node, *value.constant);
    } else {
      layer.reason = ReasonByShape(layer, rules);
      for (const NodeId user : layer.users) {
        const Node& other = fused.node(user);
        const bool alike = other.op == node.op && IsFusedProduct(other) && other.input(1) == layer.weight &&
                           other.Int("group", 1) == node.Int("group", 1);
        if (layer.reason.empty() && !alike) layer.reason = fmt::format("{} '{}' reads it too", other.op, other.name);
      }
      const auto named = by_name.find(layer.initializer);
      const ValueId source = named == by_name.end() ? kNoValue : named->second;
      if (layer.reason.empty()) layer.reason = ReasonByUse(simplified, fused, layer, source, simplified_users);
      if (layer.reason.empty()) layer.bias = FindBias(simplified, source, simplified_users);
    }
    if (layer.reason.empty() && Names(rules.keep, layer)) layer.reason = "kept dense as asked";
    layers.push_back(std::move(layer));
  }
  AgreeOnParts(&layers);
  return layers;
}

Status CheckKeep(const std::vector<WeightLayer>& layers, const std::vector<std::string>& keep) {
  std::string unknown, known;
  for (const std::string& name : keep) {
    const bool found =
        std::any_of(layers.begin(), layers.end(), [&](const auto& layer) { return Names({name}, layer); });
    if (!found) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  }
  if (unknown.empty()) return {};
  for (const WeightLayer& layer : layers) known += (known.empty() ? "" : ", ") + layer.initializer;
  return UserError("no layer is called {}; there are: {}", unknown, known);
}

Status CheckFinite(const Graph& fused, const std::vector<WeightLayer>& layers) {
  std::string broken;
  for (const WeightLayer& layer : layers) {
    const auto& weight = fused.value(layer.weight).constant;
    if (!layer.reason.empty() || !weight || weight->dtype() != DType::kFloat32) continue;
    const auto values = weight->Span<float>();
    const auto wrong = std::count_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (wrong > 0) broken += fmt::format("{}'{}' ({})", broken.empty() ? "" : ", ", layer.initializer, wrong);
  }
  if (broken.empty()) return {};
  return UserError(
      "weights are NaN or infinite in {}: nothing can be fitted to them; export the network again, or keep these "
      "layers dense (--keep)",
      broken);
}

}  // namespace tamis
