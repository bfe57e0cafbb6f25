// fuse_epilogue: what follows a Linear or ChannelsLastConv and reads nothing else becomes part of it, in the order in
// which the operator applies it: bias, residual, activation. A residual is another value of the same shape; where both
// operands of an Add could take the other as residual, the one made later does. The fused node stands where the last
// fused one stood, so that everything it reads is there. An int8 product takes the table of codes behind it.
#include <algorithm>

#include "src/ops/op_tamis.h"
#include "src/passes/all_passes.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

bool IsProduct(const Node& node) {
  return node.IsTamis("Linear") || node.IsTamis("ChannelsLastConv");
}

// Group norms take an activation alone: their bias has been joined before.
bool IsFusable(const Node& node) {
  return IsProduct(node) || node.IsTamis("ChannelsLastGroupNorm");
}

// Activations that products of floats have beside those of ActivationOf.
std::optional<std::map<std::string, Attribute>> FloatActivation(const Node& node) {
  using Attributes = std::map<std::string, Attribute>;
  const auto named = [](Activation activation, Attributes parameters = {}) {
    parameters["activation"] = std::string(Name(activation));
    return parameters;
  };
  if (node.Is("Swish")) return named(Activation::kSwish, {{"alpha", node.Float("alpha", 1)}});
  if (node.Is("Elu")) return named(Activation::kElu, {{"alpha", node.Float("alpha", 1)}});
  if (node.Is("LeakyRelu")) return named(Activation::kLeakyRelu, {{"alpha", node.Float("alpha", 0.01f)}});
  if (node.Is("HardSigmoid")) {
    return named(Activation::kHardSigmoid, {{"alpha", node.Float("alpha", 0.2f)}, {"beta", node.Float("beta", 0.5f)}});
  }
  if (node.Is("Mish")) return named(Activation::kMish);
  return std::nullopt;
}

// Makes codes, and can exchange them by a table.
bool TakesTable(const Node& node) {
  return (node.IsTamis("QuantizedConv") || node.IsTamis("QuantizedLinear")) && node.Has("y_dtype") &&
         !node.Has("table");
}

// An activation, or the addition of a bias or residual. For near misses only; what really fits is decided one by one.
bool IsEpilogue(const Node& node) {
  constexpr std::array<std::string_view, 12> kNames = {"Add",     "Relu",      "Clip",      "Gelu",
                                                       "Sigmoid", "Tanh",      "HardSwish", "Swish",
                                                       "Mish",    "LeakyRelu", "Elu",       "HardSigmoid"};
  return node.domain.empty() && std::find(kNames.begin(), kNames.end(), node.op) != kNames.end();
}

class EpilogueFuser {
 public:
  EpilogueFuser(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  // Takes in one reader of the producer; returns where the producer stands then, kNoNode if nothing was taken in.
  NodeId Extend(NodeId id) {
    const Node& producer = graph_.node(id);
    const ValueId output = producer.outputs[0];
    if (!producer.String("activation", "").empty() || rewriter_.IsOutput(output)) return kNoNode;
    if (const NodeId silu = FuseSilu(id); silu != kNoNode) return silu;
    const std::vector<NodeId> readers = rewriter_.Users(output);
    if (readers.size() != 1) {
      const auto fits = [&](NodeId reader) { return IsEpilogue(graph_.node(reader)); };
      if (std::any_of(readers.begin(), readers.end(), fits)) {
        options_.Missed(graph_, output, "epilogue", "the product has several readers");
      }
      return kNoNode;
    }
    const NodeId reader = readers[0];
    if (graph_.node(reader).outputs.size() != 1) return kNoNode;
    if (graph_.node(reader).Is("Add")) return IsProduct(producer) ? FuseAdd(id, reader) : kNoNode;
    return FuseActivation(id, reader);
  }

  void TakeTable(NodeId id) {
    const ValueId output = graph_.node(id).outputs[0];
    if (!rewriter_.SingleUse(output)) return;
    const NodeId reader = rewriter_.Users(output)[0];
    const Node& lookup = graph_.node(reader);
    if (!lookup.IsTamis("QuantizedLookup") || DTypeOf(graph_, lookup.outputs[0]) != DTypeOf(graph_, output)) return;
    Node fused = Copy(id);
    fused.attributes["table"] = lookup.Ints("table");
    Move(std::move(fused), reader, "table of codes");
  }

 private:
  NodeId Move(Node node, NodeId slot, std::string_view what) {
    options_.Matched(graph_, graph_.node(slot).outputs[0], what);
    node.outputs = graph_.node(slot).outputs;
    rewriter_.Replace(slot, std::move(node));
    return slot;
  }
  Node Copy(NodeId id) const {
    const Node& node = graph_.node(id);
    Node copy = MakeNode(node.op, node.domain, node.inputs, {}, node.attributes, node.name);
    return copy;
  }

  NodeId FuseAdd(NodeId id, NodeId add) {
    const Node& producer = graph_.node(id);
    const auto other = OtherOperand(graph_.node(add), producer.outputs[0]);
    if (!other || producer.input(3) != kNoValue) return kNoNode;
    if (const NodeId fused = FuseBias(id, add, *other); fused != kNoNode) return fused;
    const bool same = SameShape(graph_, *other, producer.outputs[0]) &&
                      DTypeOf(graph_, *other) == DTypeOf(graph_, producer.outputs[0]);
    if (TakesResidualLater(id, *other)) return kNoNode;
    if (!same || graph_.value(*other).IsConstant()) {
      options_.Missed(graph_, graph_.node(add).outputs[0], "residual",
                      !same ? "the addend has another shape or dtype than the product" : "the addend is a constant");
      return kNoNode;
    }
    Node fused = Copy(id);
    fused.inputs.resize(4, kNoValue);
    fused.inputs[3] = *other;
    return Move(std::move(fused), add, "residual");
  }

  // Whether the other operand's producer is the better place for this Add: it comes later and can take a residual.
  bool TakesResidualLater(NodeId id, ValueId other) const {
    const NodeId producer = graph_.value(other).producer;
    if (producer == kNoNode || producer < id) return false;
    const Node& node = graph_.node(producer);
    return IsProduct(node) && node.input(3) == kNoValue && node.String("activation", "").empty() &&
           rewriter_.SingleUse(other);
  }

  NodeId FuseBias(NodeId id, NodeId add, ValueId other) {
    const Node& producer = graph_.node(id);
    const Tensor* weight = graph_.ConstantInput(producer, 1);
    const int64_t rank = RankOf(graph_, producer.outputs[0]);
    if (weight == nullptr || rank < 1 || !IsPerChannel(graph_, other, rank, rank - 1, weight->dim(0))) return kNoNode;
    const Tensor& addend = *graph_.value(other).constant;
    const Tensor* old = graph_.ConstantInput(producer, 2);
    if (addend.dtype() != DType::kFloat32 || (producer.input(2) != kNoValue && old == nullptr)) return kNoNode;
    Tensor bias = addend.Reshaped({weight->dim(0)});
    if (old != nullptr) {
      bias = bias.Clone();
      for (int64_t i = 0; i < bias.NumElements(); ++i) bias.Data<float>()[i] += old->Data<float>()[i];
    }
    const bool reuse = old == nullptr && addend.rank() == 1;
    const std::string name = graph_.value(other).name;
    Node fused = Copy(id);
    fused.inputs.resize(std::max<size_t>(fused.inputs.size(), 3), kNoValue);
    fused.inputs[2] = reuse ? other : rewriter_.AddConstant(name + "_bias", bias);
    return Move(std::move(fused), add, "bias");
  }

  // x * sigmoid(x), the two readers of the producer.
  NodeId FuseSilu(NodeId id) {
    const ValueId x = graph_.node(id).outputs[0];
    const std::vector<NodeId> readers = rewriter_.Users(x);
    if (readers.size() != 2) return kNoNode;
    for (size_t i : {size_t{0}, size_t{1}}) {
      const Node& sigmoid = graph_.node(readers[i]);
      const Node& mul = graph_.node(readers[1 - i]);
      if (!sigmoid.Is("Sigmoid") || !mul.Is("Mul") || !rewriter_.SingleUse(sigmoid.outputs[0])) continue;
      if (OtherOperand(mul, x) == sigmoid.outputs[0]) {
        return SetActivation(id, readers[1 - i], {{"activation", std::string(Name(Activation::kSilu))}});
      }
    }
    return kNoNode;
  }

  NodeId FuseActivation(NodeId id, NodeId reader) {
    const Node& node = graph_.node(reader);
    if (!node.domain.empty() || node.input(0) != graph_.node(id).outputs[0]) return kNoNode;
    auto attributes = ActivationOf(graph_, node);
    if (!attributes) attributes = FloatActivation(node);
    return attributes ? SetActivation(id, reader, *attributes) : kNoNode;
  }

  NodeId SetActivation(NodeId id, NodeId reader, const std::map<std::string, Attribute>& attributes) {
    const std::string name = std::get<std::string>(attributes.at("activation"));
    if (HasParameters(*ActivationFromName(name)) && !IsProduct(graph_.node(id)))
      return kNoNode;  // group norms hold none
    Node fused = Copy(id);
    for (const auto& [key, value] : attributes) fused.attributes[key] = value;
    return Move(std::move(fused), reader, name);
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status FuseEpilogue(Graph& graph, const PassOptions& options) {
  EpilogueFuser fuser(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed) continue;
    if (TakesTable(graph.node(id))) fuser.TakeTable(id);
    if (!IsFusable(graph.node(id))) continue;
    for (NodeId at = id; at != kNoNode;) at = fuser.Extend(at);
  }
  return {};
}

}  // namespace tamis
