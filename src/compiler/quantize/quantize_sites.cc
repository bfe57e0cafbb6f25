#include "src/compiler/quantize/quantize_sites.h"

#include <algorithm>
#include <map>

#include "src/passes/match.h"

namespace tamis {
namespace {

bool MovesCodes(const Node& node) {
  return node.Is("MaxPool") || node.Is("Reshape") || node.Is("Flatten") || node.Is("Squeeze");
}

// Empty if the product can be int8.
std::string ReasonToStay(const Graph& graph, const Node& node, const Tensor& weight) {
  if (weight.dtype() != DType::kFloat32) return fmt::format("its weight is {}, not float32", Name(weight.dtype()));
  const Value& x = graph.value(node.input(0));
  if (x.IsConstant() || x.type.dtype != DType::kFloat32) return "its input is constant or not float32";
  if (!node.Is("Conv") && weight.rank() != 2) return fmt::format("a constant of rank {}, not a matrix", weight.rank());
  if (node.Is("Gemm") && (node.Float("alpha", 1) != 1 || node.Float("beta", 1) != 1 || node.Int("transA", 0) != 0)) {
    return "it scales or transposes its operands";
  }
  constexpr int64_t kDeepest = int64_t{1} << 15;  // sums in int32 stay exact
  const int64_t outputs = weight.dim(node.Is("MatMul") || (node.Is("Gemm") && node.Int("transB", 0) == 0) ? 1 : 0);
  if (outputs > 0 && weight.NumElements() / outputs > kDeepest) return "sums of more than 32768 products";
  return "";
}

std::vector<QuantizeProduct> FindProducts(const Graph& graph, std::span<const std::string> keep) {
  std::vector<QuantizeProduct> products;
  const auto named = [&](const std::string& name) { return std::find(keep.begin(), keep.end(), name) != keep.end(); };
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    const bool conv = node.Is("Conv"), gemm = node.Is("Gemm");
    if (!conv && !gemm && !node.Is("MatMul")) continue;
    const Tensor* weight = graph.ConstantInput(node, 1);
    if (weight == nullptr || !IsFloat(weight->dtype()) || weight->rank() < 2) continue;
    QuantizeProduct product;
    product.node = id;
    product.conv = conv;
    product.outputs_first = conv || (gemm && node.Int("transB", 0) != 0);
    product.report.name = graph.value(node.input(1)).name;
    product.report.node = node.name.empty() ? graph.value(node.outputs[0]).name : node.name;
    product.report.op = node.op;
    product.report.reason = ReasonToStay(graph, node, *weight);
    if (product.report.reason.empty() && (named(product.report.name) || named(product.report.node))) {
      product.report.reason = "kept float as asked";
    }
    product.report.quantized = product.report.reason.empty();
    products.push_back(std::move(product));
  }
  return products;
}

Status CheckKeep(std::span<const QuantizeProduct> products, std::span<const std::string> keep) {
  std::string unknown, known;
  for (const std::string& name : keep) {
    const bool found = std::any_of(products.begin(), products.end(), [&](const QuantizeProduct& product) {
      return product.report.name == name || product.report.node == name;
    });
    if (!found) unknown += (unknown.empty() ? "'" : ", '") + name + "'";
  }
  if (unknown.empty()) return {};
  for (const QuantizeProduct& product : products) known += (known.empty() ? "" : ", ") + product.report.name;
  return UserError("no layer is called {}; there are: {}", unknown, known);
}

bool IsActivation(const Graph& graph, ValueId value) {
  return value != kNoValue && !graph.value(value).IsConstant() && graph.value(value).type.dtype == DType::kFloat32;
}

// What products read, and, where images go through, what sums, pools and concatenations between them read.
void FindTensors(const Graph& graph, QuantizeSites* sites) {
  std::set<ValueId> convolved;  // what int8 convolutions make, and what follows from it among images
  for (const QuantizeProduct& product : sites->products) {
    if (!product.report.quantized) continue;
    const Node& node = graph.node(product.node);
    sites->tensors.insert(node.input(0));
    if (product.conv) sites->spatial.insert(node.input(0));
  }
  std::map<NodeId, bool> int8_conv;
  for (const QuantizeProduct& product : sites->products)
    int8_conv[product.node] = product.conv && product.report.quantized;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (!node.domain.empty() || node.outputs.empty()) continue;
    const bool known =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return convolved.count(input) != 0; });
    if (const auto found = int8_conv.find(id); found != int8_conv.end() && found->second) {
      convolved.insert(node.outputs[0]);
      continue;
    }
    if (!known || RankOf(graph, node.outputs[0]) < 3) continue;
    const bool joins = node.Is("Add") || node.Is("Concat");
    const bool pools = node.Is("MaxPool") || node.Is("GlobalAveragePool");
    const bool passes = node.Is("Relu") || node.Is("Clip") || node.Is("HardSwish") || node.Is("Sigmoid");
    if (!joins && !pools && !passes) continue;
    convolved.insert(node.outputs[0]);
    if (passes || (node.Is("Add") && !SameShape(graph, node.input(0), node.input(1)))) continue;
    for (const ValueId input : node.inputs) {
      if (!IsActivation(graph, input)) continue;
      sites->tensors.insert(input);
      sites->spatial.insert(input);
    }
  }
  // What is coded behind a node that only moves elements is coded before it.
  std::vector<ValueId> open(sites->tensors.begin(), sites->tensors.end());
  while (!open.empty()) {
    const ValueId value = open.back();
    open.pop_back();
    const ValueId source = CodesBefore(graph, value);
    if (source == kNoValue || !sites->tensors.insert(source).second) continue;
    sites->spatial.insert(source);
    open.push_back(source);
  }
}

}  // namespace

Result<QuantizeSites> FindQuantizeSites(const Graph& graph, std::span<const std::string> keep) {
  QuantizeSites sites;
  sites.products = FindProducts(graph, keep);
  TAMIS_RETURN_IF_ERROR(CheckKeep(sites.products, keep));
  FindTensors(graph, &sites);
  return sites;
}

ValueId CodesBefore(const Graph& graph, ValueId value) {
  const NodeId id = graph.value(value).producer;
  if (id == kNoNode || !MovesCodes(graph.node(id)) || RankOf(graph, graph.node(id).input(0)) < 3) return kNoValue;
  const ValueId source = graph.node(id).input(0);
  if (graph.node(id).Is("MaxPool")) return source;
  const NodeId before = graph.value(source).producer;
  const bool pooled =
      before != kNoNode && (graph.node(before).Is("GlobalAveragePool") || graph.node(before).Is("MaxPool"));
  return pooled ? source : kNoValue;
}

std::vector<BalanceSite> FindBalanceSites(const Graph& graph, const QuantizeSites& sites) {
  std::map<ValueId, BalanceSite> by_activation;
  for (const QuantizeProduct& product : sites.products) {
    const ValueId x = graph.node(product.node).input(0);
    if (!product.report.quantized || product.conv || sites.spatial.count(x) != 0) continue;
    by_activation[x].activation = x;
    by_activation[x].products.push_back(product.node);
  }
  std::vector<BalanceSite> list;
  for (auto& [x, site] : by_activation) list.push_back(std::move(site));
  return list;
}

}  // namespace tamis
