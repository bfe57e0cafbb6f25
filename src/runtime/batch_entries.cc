#include "src/runtime/batch_entries.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "src/kernels/problem.h"
#include "src/ops/op_is_elementwise.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

using Kind = BatchEntries::Kind;

// The operators below, and their axis 0, as the rules of the node at hand see them.
struct View {
  const Graph& graph;
  const Node& node;
  const Dims result;  // of output 0

  // Empty where the operand is omitted.
  Dims Of(size_t i) const {
    const ValueId id = node.input(i);
    return id == kNoValue ? Dims() : *ConstantDims(graph.value(id).type.shape);
  }
  bool Has(size_t i) const { return node.input(i) != kNoValue; }
  bool IsConstant(size_t i) const { return Has(i) && graph.value(node.input(i)).IsConstant(); }
  // The axis that an attribute names, counted from the front; the rank if it names none of the operand's.
  size_t Axis(const char* attribute, int64_t fallback, size_t rank) const {
    return ResolveAxis(node.Int(attribute, fallback), rank).value_or(rank);
  }
};

// Operand i is read at the entry that is computed, or has none of its own.
bool EntryByEntry(const View& view, size_t i, bool cut) {
  const Dims dims = view.Of(i);
  const bool same_rank = dims.size() == view.result.size();
  if (cut) return same_rank && dims[0] == view.result[0];
  return !same_rank || dims[0] == 1;
}

// Input 0 has entries that the others, weights and the like, are applied to one by one.
constexpr std::array<std::string_view, 16> kByEntry = {"AveragePool",
                                                       "ChannelsLastAveragePool",
                                                       "ChannelsLastConv",
                                                       "ChannelsLastConvTranspose",
                                                       "ChannelsLastGlobalAveragePool",
                                                       "ChannelsLastGroupNorm",
                                                       "ChannelsLastMaxPool",
                                                       "Conv",
                                                       "ConvTranspose",
                                                       "GlobalAveragePool",
                                                       "InstanceNormalization",
                                                       "Linear",
                                                       "MaxPool",
                                                       "QuantizedConv",
                                                       "QuantizedGlobalAveragePool",
                                                       "QuantizedLinear"};

// Each with the axis from which, or along which, it works on whole rows.
constexpr std::array<std::string_view, 5> kByRow = {"LayerNormalization", "LogSoftmax", "QuantizedLayerNorm",
                                                    "RMSNormalization", "Softmax"};

bool Lists(std::span<const std::string_view> names, const Node& node) {
  return std::find(names.begin(), names.end(), node.op) != names.end();
}

// Whether entry e of result 0 follows from entry e of the operands that are cut. `cut(i)` says which those are; at
// least one is.
template <class Cut>
bool KeepsEntries(const View& view, const Cut& cut) {
  const Node& node = view.node;
  const size_t operands = node.inputs.size(), rank = view.result.size();
  const Dims first = view.Of(0);
  if (rank == 0) return false;
  const auto others = [&](size_t from, const auto& holds) {
    for (size_t i = from; i < operands; ++i) {
      if (view.Has(i) && !holds(i)) return false;
    }
    return true;
  };
  const auto constant = [&](size_t i) { return view.IsConstant(i); };
  if (IsElementwise(node) || node.IsTamis("ElementwiseChain")) {
    if (node.Is("QuantizeLinear") || node.Is("DequantizeLinear")) {  // scales along an axis
      return cut(0) && first.size() == rank && others(1, constant) &&
             (NumElements(view.Of(1)) == 1 || view.Axis("axis", 1, rank) > 0);
    }
    return others(0, [&](size_t i) { return EntryByEntry(view, i, cut(i)); });
  }
  if (Lists(kByEntry, node)) {
    // An operand that is cut beside input 0 is a residual.
    return cut(0) && first.size() >= 2 && rank >= 2 && first[0] == view.result[0] &&
           others(1, [&](size_t i) { return view.IsConstant(i) || (cut(i) && EntryByEntry(view, i, true)); });
  }
  if (Lists(kByRow, node)) {
    return cut(0) && first.size() == rank && others(1, constant) && view.Axis("axis", -1, rank) > 0;
  }
  if (node.IsTamis("L2Normalize")) return cut(0) && rank >= 2;
  if (node.Is("Transpose")) {
    const std::vector<int64_t> order = node.Ints("perm");
    return cut(0) && order.size() == rank && order[0] == 0;
  }
  if (node.Is("Concat")) {
    return view.Axis("axis", 0, rank) > 0 && others(0, [&](size_t i) { return cut(i) && EntryByEntry(view, i, true); });
  }
  if (node.Is("Gather")) {  // rows of a table: entries are those of the indices
    return cut(1) && view.IsConstant(0) && node.Int("axis", 0) == 0 && view.Of(1)[0] == view.result[0];
  }
  if (node.Is("MatMul")) {
    if (!cut(0) || first.size() < 2 || first.size() != rank) return false;
    if (!cut(1)) return view.IsConstant(1) && view.Of(1).size() == 2;
    return rank >= 3 && EntryByEntry(view, 0, true) && EntryByEntry(view, 1, true);
  }
  if (node.IsTamis("Attention")) {
    for (size_t i = 0; i < 3; ++i) {
      if (!cut(i) || view.Of(i)[0] != view.result[0]) return false;
    }
    const Dims mask = view.Of(3);
    if (!view.Has(3)) return true;
    return cut(3) ? mask.size() == 4 && mask[0] == view.result[0] : mask.size() < 4 || mask[0] == 1;
  }
  if (node.IsTamis("MaskedMean")) return cut(0) && cut(1);
  return false;
}

}  // namespace

BatchEntries::BatchEntries(const Graph& concrete, int64_t batch, int64_t parts)
    : parts_(parts), kinds_(concrete.NumValues(), Kind::kWhole) {
  for (const ValueId id : concrete.inputs) {
    const auto dims = ConstantDims(concrete.value(id).type.shape);
    if (dims && !dims->empty() && dims->front() == batch) kinds_[static_cast<size_t>(id)] = Kind::kCut;
  }
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    for (const ValueId result : node.outputs) {
      if (result != kNoValue) kinds_[static_cast<size_t>(result)] = OfResult(concrete, node, result);
    }
  }
}

BatchEntries::Kind BatchEntries::OfResult(const Graph& graph, const Node& node, ValueId result) const {
  const auto cut = [&](size_t i) { return node.input(i) != kNoValue && Of(node.input(i)) == Kind::kCut; };
  bool any = false;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue && Of(node.inputs[i]) == Kind::kUnknown) return Kind::kUnknown;
    any = any || cut(i);
  }
  if (!IsConcrete(graph, node)) return Kind::kUnknown;
  if (!any) return Kind::kWhole;
  const auto dims = ConstantDims(graph.value(result).type.shape);
  if (node.outputs.size() != 1 || dims->empty() || dims->front() == 0 || dims->front() % parts_ != 0) {
    return Kind::kUnknown;
  }
  // The same elements in the same order: equal runs of them stay what they are.
  if (IsView(node)) return cut(0) ? Kind::kCut : Kind::kUnknown;
  return KeepsEntries(View{graph, node, *dims}, cut) ? Kind::kCut : Kind::kUnknown;
}

}  // namespace tamis
