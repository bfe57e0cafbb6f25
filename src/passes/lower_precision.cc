// lower_precision: with bfloat16 or float16 asked for, Linear, ChannelsLastConv and Attention read such operands, and
// so does what stands between them and can: layer norms, elementwise operators, pools, moves of elements. Accumulation,
// biases and attention masks stay float32, and so does what no product feeds (embeddings, mask arithmetic) or what
// feeds no product (heads: the last product writes float32 itself). A Cast stands only where a value is needed in both
// types. In bfloat16 products of one pixel stay float32 too. PassOptions::low_nodes, where it is given, says which
// nodes may turn low at all: the tuner's choice.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "src/base/float16.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/precision_reasons.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr auto kFull = static_cast<int64_t>(DType::kFloat32);

// How an operator takes part.
enum class Role {
  kFull,     // reads and writes float32
  kProduct,  // a product: always low, whatever made its operands
  kFollow,   // low if an operand is and a reader wants it
  kReduce,   // reads low operands, writes float32
};

template <size_t N>
bool IsOneOf(const Node& node, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), node.op) != names.end();
}

// Whether every element stays finite in float16: what keeps a product with larger weights in float32.
bool FitsFloat16(const Tensor& tensor) {
  const auto values = tensor.Span<float>();
  return std::all_of(values.begin(), values.end(), [](float x) { return !(std::abs(x) >= 65520.0f); });
}

Role RoleOf(const Graph& graph, const Node& node, DType low) {
  if (!node.regions.empty() || (node.outputs.size() > 1 && !node.Is("Split"))) return Role::kFull;
  if (node.domain == kTamisDomain) {
    if (node.op == "MaskedMean") return Role::kReduce;
    if (node.op == "Attention") return Role::kProduct;
    if (node.op == "Linear" || node.op == "ChannelsLastConv") {
      const Tensor* weight = graph.ConstantInput(node, 1);
      if (weight == nullptr || weight->dtype() != DType::kFloat32) return Role::kFull;
      return low == DType::kFloat16 && !FitsFloat16(*weight) ? Role::kFull : Role::kProduct;
    }
    constexpr std::array<std::string_view, 3> kPools = {"ChannelsLastMaxPool", "ChannelsLastAveragePool",
                                                        "ChannelsLastGlobalAveragePool"};
    if (node.op == "ChannelsLastGroupNorm" || node.op == "Rotary") return Role::kFollow;
    return IsOneOf(node, kPools) ? Role::kFollow : Role::kFull;
  }
  constexpr std::array<std::string_view, 30> kFollow = {"LayerNormalization",
                                                        "Add",
                                                        "Sub",
                                                        "Mul",
                                                        "Div",
                                                        "Relu",
                                                        "Clip",
                                                        "Gelu",
                                                        "Sigmoid",
                                                        "Tanh",
                                                        "HardSwish",
                                                        "Swish",
                                                        "Mish",
                                                        "HardSigmoid",
                                                        "LeakyRelu",
                                                        "Elu",
                                                        "Neg",
                                                        "Reshape",
                                                        "Transpose",
                                                        "Squeeze",
                                                        "Unsqueeze",
                                                        "Flatten",
                                                        "Concat",
                                                        "Split",
                                                        "Slice",
                                                        "Gather",
                                                        "Expand",
                                                        "Pad",
                                                        "Resize",
                                                        "Identity"};
  return node.domain.empty() && IsOneOf(node, kFollow) ? Role::kFollow : Role::kFull;
}

// The operands that turn low with the node. Shapes, indices and float32 sides (bias, mask) don't.
bool IsLowOperand(const Graph& graph, const Node& node, size_t i) {
  if (node.inputs[i] == kNoValue || DTypeOf(graph, node.inputs[i]) != DType::kFloat32) return false;
  if (node.IsTamis("Attention")) return i < 3;
  if (node.IsTamis("MaskedMean") || node.IsTamis("Rotary")) return i == 0;
  if (node.IsTamis("ChannelsLastGroupNorm") || node.Is("Resize")) return i == 0;
  if (node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv")) return i != 2;
  return true;
}

Tensor Narrowed(const Tensor& tensor, DType dtype) {
  Tensor low(dtype, tensor.dims());
  const auto values = tensor.Span<float>();
  std::transform(values.begin(), values.end(), low.Data<uint16_t>(),
                 dtype == DType::kFloat16 ? FloatToHalf : FloatToBf16);
  return low;
}

class PrecisionLowering {
 public:
  PrecisionLowering(Graph& graph, const PassOptions& options)
      : graph_(graph),
        rewriter_(graph, options),
        options_(options),
        dtype_(options.precision),
        number_(static_cast<int64_t>(options.precision)),
        suffix_(options.precision == DType::kFloat16 ? "_f16" : "_bf16"),
        low_(graph.NumValues(), false),
        risky_(graph.NumValues(), false) {}

  void Run() {
    const std::vector<NodeId> nodes = graph_.NodeIds();
    SpreadForward(nodes);
    KeepWanted(nodes);
    for (NodeId id : nodes) ConvertOperands(id);
    for (NodeId id : nodes) ConvertResults(id);
  }

 private:
  bool Low(ValueId value) const { return value != kNoValue && low_[static_cast<size_t>(value)]; }

  void SpreadForward(const std::vector<NodeId>& nodes) {
    roles_.resize(graph_.NumNodeSlots(), Role::kFull);
    for (NodeId id : nodes) {
      const Node& node = graph_.node(id);
      Role role = MayTurnLow(node) ? RoleOf(graph_, node, dtype_) : Role::kFull;
      if (role == Role::kProduct && dtype_ == DType::kBFloat16 && IsOfOnePixel(graph_, node)) {
        role = Role::kFull;
        options_.Decided(graph_, node.outputs[0], node.op + " stays float32", "it is of one pixel, as gates are");
      }
      bool fed = role == Role::kProduct;
      for (size_t i = 0; i < node.inputs.size(); ++i) fed = fed || Low(node.inputs[i]);
      if (role == Role::kFollow && !fed) role = Role::kFull;
      if (const std::string_view reason = RiskIn(node); !reason.empty() && role != Role::kProduct) {
        role = Role::kFull;
        if (fed) options_.Decided(graph_, node.outputs[0], node.op + " stays float32", reason);
        for (ValueId output : node.outputs) {
          if (output != kNoValue) risky_[static_cast<size_t>(output)] = true;
        }
      }
      roles_[static_cast<size_t>(id)] = role;
      if (role != Role::kProduct && role != Role::kFollow) continue;
      for (ValueId output : node.outputs) {
        if (output != kNoValue && DTypeOf(graph_, output) == DType::kFloat32) low_[static_cast<size_t>(output)] = true;
      }
    }
  }

  bool MayTurnLow(const Node& node) const {
    if (options_.low_nodes == nullptr) return true;
    if (node.outputs.empty() || node.outputs[0] == kNoValue) return false;
    return options_.low_nodes->count(graph_.value(node.outputs[0]).name) != 0;
  }

  // Why the node has to stay float32: by itself, or because a chain that began before it has not ended.
  std::string_view RiskIn(const Node& node) const {
    if (const std::string_view own = RiskOf(graph_, node); !own.empty()) return own;
    if (!ContinuesRisk(node)) return "";
    const auto risky = [&](ValueId input) { return input != kNoValue && risky_[static_cast<size_t>(input)]; };
    if (std::none_of(node.inputs.begin(), node.inputs.end(), risky)) return "";
    return "it goes on with what has to be float32";
  }

  // Takes back what no reader wants low, last readers first.
  void KeepWanted(const std::vector<NodeId>& nodes) {
    // Bodies of regions are lowered on their own: what they capture keeps its dtype.
    for (NodeId id : nodes) {
      for (const Region& region : graph_.node(id).regions) {
        for (ValueId capture : region.captures) low_[static_cast<size_t>(capture)] = false;
      }
    }
    std::vector<bool> wanted(graph_.NumValues(), false);
    for (auto id = nodes.rbegin(); id != nodes.rend(); ++id) {
      const Node& node = graph_.node(*id);
      Role& role = roles_[static_cast<size_t>(*id)];
      const bool kept = std::any_of(node.outputs.begin(), node.outputs.end(),
                                    [&](ValueId output) { return Low(output) && wanted[static_cast<size_t>(output)]; });
      if (!kept) {
        for (ValueId output : node.outputs) {
          if (output != kNoValue) low_[static_cast<size_t>(output)] = false;
        }
        // A pool of low values with a float32 reader converts as it writes.
        if (role == Role::kFollow) role = node.domain == kTamisDomain ? Role::kReduce : Role::kFull;
      }
      if (role == Role::kFull) continue;
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (IsLowOperand(graph_, node, i)) wanted[static_cast<size_t>(node.inputs[i])] = true;
      }
    }
  }

  void ConvertOperands(NodeId id) {
    const Role role = roles_[static_cast<size_t>(id)];
    for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const Node& node = graph_.node(id);
      const ValueId input = node.inputs[i];
      if (input == kNoValue) continue;
      if (role != Role::kFull && IsLowOperand(graph_, node, i)) {
        if (role == Role::kReduce && !Low(input)) continue;
        if (!Low(input)) rewriter_.SetInput(id, i, LowTwin(input));
      } else if (Low(input)) {
        rewriter_.SetInput(id, i, FullTwin(input));
      }
    }
    Node& node = graph_.node(id);
    if (role == Role::kFull || node.domain != kTamisDomain) return;
    const bool writes_low = !node.outputs.empty() && Low(node.outputs[0]);
    node.attributes["output_dtype"] = writes_low ? number_ : kFull;
    options_.Edited();
  }

  // Low results get their dtype; a graph output keeps its own and is cast to.
  void ConvertResults(NodeId id) {
    for (size_t i = 0; i < graph_.node(id).outputs.size(); ++i) {
      const ValueId output = graph_.node(id).outputs[i];
      if (!Low(output)) continue;
      if (!rewriter_.IsOutput(output)) {
        graph_.value(output).type.dtype = dtype_;
        options_.Edited();
        continue;
      }
      Type type = graph_.value(output).type;
      type.dtype = dtype_;
      const ValueId low = graph_.AddValue(rewriter_.FreeName(graph_.value(output).name + suffix_), type);
      for (NodeId reader : rewriter_.Users(output)) {
        for (size_t j = 0; j < graph_.node(reader).inputs.size(); ++j) {
          if (graph_.node(reader).inputs[j] != output) continue;
          if (static_cast<size_t>(reader) < roles_.size() && roles_[static_cast<size_t>(reader)] != Role::kFull)
            rewriter_.SetInput(reader, j, low);
        }
      }
      const Node& old = graph_.node(id);
      Node node = MakeNode(old.op, old.domain, old.inputs, old.outputs, old.attributes, old.name);
      node.outputs[i] = low;
      rewriter_.Replace(id, std::move(node));
      rewriter_.Append(MakeNode("Cast", "", {low}, {output}, {{"to", kFull}}));
    }
  }

  ValueId LowTwin(ValueId value) {
    const auto [found, inserted] = low_twins_.emplace(value, kNoValue);
    if (!inserted) return found->second;
    const std::string name = graph_.value(value).name + suffix_;
    if (graph_.value(value).IsConstant()) {
      const std::optional<WeightOrigin> origin = graph_.value(value).origin;
      found->second = rewriter_.AddConstant(name, Narrowed(*graph_.value(value).constant, dtype_));
      graph_.value(found->second).origin = origin;
    } else {
      Type type = graph_.value(value).type;
      type.dtype = dtype_;
      found->second = rewriter_.Append("Cast", "", {value}, {{"to", number_}}, name, type);
    }
    return found->second;
  }

  ValueId FullTwin(ValueId value) {
    if (rewriter_.IsOutput(value)) return value;
    const auto [found, inserted] = full_twins_.emplace(value, kNoValue);
    if (inserted) {
      found->second = rewriter_.Append("Cast", "", {value}, {{"to", kFull}}, graph_.value(value).name + "_f32",
                                       graph_.value(value).type);
    }
    return found->second;
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
  DType dtype_;
  int64_t number_;
  std::string suffix_;
  std::vector<bool> low_;    // by value of the graph as it came
  std::vector<bool> risky_;  // likewise: part of a chain that stays float32
  std::vector<Role> roles_;
  std::map<ValueId, ValueId> low_twins_, full_twins_;
};

}  // namespace

Status LowerPrecision(Graph& graph, const PassOptions& options) {
  if (options.precision == DType::kFloat32) return {};
  PrecisionLowering(graph, options).Run();
  return {};
}

}  // namespace tamis
