#include "src/compiler/quantize/quantize_balance.h"

#include <algorithm>

#include "src/ops/op_is_elementwise.h"
#include "src/passes/channels_last.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/quantize/balance.h"

namespace tamis {
namespace {

constexpr double kWorthwhile = 0.75;  // of the expected error before: a Mul is not free

bool IsProduct(const Graph& graph, const Node& node) {
  return (node.Is("MatMul") || node.Is("Gemm") || node.Is("Conv")) && graph.ConstantInput(node, 1) != nullptr;
}

// Whether nothing but elementwise nodes and one product's output lead to the value.
bool FollowsOneProduct(const Graph& graph, ValueId value, ValueId* leaf, int depth) {
  constexpr int kDeepest = 16;
  if (value == kNoValue || graph.value(value).IsConstant()) return true;
  const NodeId id = graph.value(value).producer;
  if (id == kNoNode || depth > kDeepest) return false;
  const Node& node = graph.node(id);
  if (IsProduct(graph, node)) {
    if (*leaf != kNoValue && *leaf != value) return false;
    *leaf = value;
    return true;
  }
  return IsElementwise(node) && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
           return FollowsOneProduct(graph, input, leaf, depth + 1);
         });
}

// Whether the value is a pool's result, perhaps in another shape. Pools of images move or add codes, so a Mul behind
// one would take the end of a network that has only codes until there back to floats.
bool FollowsPool(const Graph& graph, ValueId value) {
  while (value != kNoValue && graph.value(value).producer != kNoNode) {
    const Node& node = graph.node(graph.value(value).producer);
    if (node.Is("GlobalAveragePool") || node.Is("AveragePool") || node.Is("GlobalMaxPool") || node.Is("MaxPool")) {
      return true;
    }
    if (!node.Is("Flatten") && !node.Is("Reshape") && !node.Is("Squeeze") && !node.Is("Identity")) return false;
    value = node.input(0);
  }
  return false;
}

bool OutputsFirst(const Node& node) {
  return node.Is("Gemm") && node.Int("transB", 0) != 0;
}

// The constant [C] of this shape, with element i multiplied by factors[i].
Tensor Scaled(const Tensor& vector, const std::vector<float>& factors) {
  Tensor scaled = vector.Clone();
  for (size_t i = 0; i < factors.size(); ++i) scaled.Data<float>()[i] *= factors[i];
  return scaled;
}

bool HoldsChannels(const Graph& graph, ValueId value, size_t channels) {
  if (value == kNoValue || !graph.value(value).IsConstant()) return false;
  const Tensor& tensor = *graph.value(value).constant;
  return tensor.dtype() == DType::kFloat32 && tensor.rank() == 1 &&
         tensor.NumElements() == static_cast<int64_t>(channels);
}

// True if the LayerNormalization that makes the value took the factors.
bool ScaleNormalization(Rewriter& rewriter, const BalanceSite& site, const std::vector<float>& factors) {
  Graph& graph = rewriter.graph();
  const NodeId id = graph.value(site.activation).producer;
  if (id == kNoNode || !graph.node(id).Is("LayerNormalization") || rewriter.IsOutput(site.activation)) return false;
  if (rewriter.Uses(site.activation) != static_cast<int>(site.products.size())) return false;
  const Node& node = graph.node(id);
  if (node.outputs.size() != 1 || !HoldsChannels(graph, node.input(1), factors.size())) return false;
  if (node.input(2) != kNoValue && !HoldsChannels(graph, node.input(2), factors.size())) return false;
  for (const size_t i : {size_t{1}, size_t{2}}) {
    const ValueId old = graph.node(id).input(i);
    if (old == kNoValue) continue;
    rewriter.SetInput(id, i, rewriter.ChangedConstant(old, Scaled(*graph.value(old).constant, factors)));
  }
  return true;
}

}  // namespace

std::vector<float> BalanceFactors(const Graph& graph, const BalanceSite& site, const TensorStatistics& statistics) {
  const ChannelSizes sizes = {statistics.largest, statistics.mean_squares};
  const auto channels = static_cast<int64_t>(sizes.largest.size());
  ValueId leaf = kNoValue;
  if (FollowsOneProduct(graph, site.activation, &leaf, 0) || FollowsPool(graph, site.activation)) return {};
  std::vector<BalancedWeight> weights;
  for (const NodeId id : site.products) {
    const Node& node = graph.node(id);
    const Tensor& weight = *graph.ConstantInput(node, 1);
    const Tensor rows = OutputsFirst(node) ? weight : Transposed(weight, {1, 0});
    if (rows.dim(1) != channels) return {};
    const std::span<const float> elements = rows.Span<float>();
    weights.push_back({{elements.begin(), elements.end()}, rows.dim(0)});
  }
  Balance balance = ChooseBalance(sizes, weights);
  if (!(balance.after < kWorthwhile * balance.before)) return {};
  return std::move(balance.factors);
}

Result<std::vector<BalancedActivation>> BalanceActivations(Graph& graph, const std::vector<BalanceSite>& sites,
                                                           const std::map<ValueId, TensorStatistics>& statistics) {
  std::vector<BalancedActivation> balanced;
  {
    Rewriter rewriter(graph);
    for (const BalanceSite& site : sites) {
      std::vector<float> factors = BalanceFactors(graph, site, statistics.at(site.activation));
      if (factors.empty()) continue;
      const auto channels = static_cast<int64_t>(factors.size());
      const std::string name = graph.value(site.activation).name;
      const Type type = graph.value(site.activation).type;
      std::string scaled = name;
      if (!ScaleNormalization(rewriter, site, factors)) {
        const ValueId constant = rewriter.AddConstant(
            name + "_factors", Tensor::Of<float>(DType::kFloat32, {channels}, std::span<const float>(factors)));
        const ValueId product = rewriter.Append("Mul", "", {site.activation, constant}, {}, name + "_balanced", type);
        for (const NodeId id : site.products) rewriter.SetInput(id, 0, product);
        scaled = graph.value(product).name;
      }
      for (const NodeId id : site.products) {
        const ValueId old = graph.node(id).input(1);
        Tensor weight = graph.value(old).constant->Clone();
        const bool outputs_first = OutputsFirst(graph.node(id));
        const int64_t outputs = weight.NumElements() / channels;
        for (int64_t i = 0; i < weight.NumElements(); ++i) {
          weight.Data<float>()[i] /= factors[static_cast<size_t>(outputs_first ? i % channels : i / outputs)];
        }
        rewriter.SetInput(id, 1, rewriter.ChangedConstant(old, std::move(weight)));
      }
      balanced.push_back({name, std::move(scaled), std::move(factors)});
    }
  }
  TAMIS_RETURN_IF_ERROR(graph.Sort());
  graph.Compact();
  return balanced;
}

}  // namespace tamis
