#include "src/cuda/fuse_for_cuda.h"

#include <array>
#include <cstring>
#include <vector>

#include "src/base/hash.h"

namespace tamis {
namespace {

// Constants one below the other along the first axis.
Tensor Stacked(const std::vector<const Tensor*>& parts) {
  Dims dims = parts[0]->dims();
  dims[0] = 0;
  for (const Tensor* part : parts) dims[0] += part->dim(0);
  Tensor whole(parts[0]->dtype(), dims);
  size_t offset = 0;
  for (const Tensor* part : parts) {
    std::memcpy(whole.raw() + offset, part->raw(), part->NumBytes());
    offset += part->NumBytes();
  }
  return whole;
}

ValueId AddStacked(Graph& graph, const std::string& name, const std::vector<const Tensor*>& parts, Pattern pattern) {
  const ValueId id = graph.AddConstant(graph.FreshName(name), Stacked(parts));
  graph.value(id).constant_hash = HashTensor(*graph.value(id).constant);
  graph.value(id).pattern = pattern;
  return id;
}

// Nodes with regions can't be copied; those that are fused here have none.
Node CopyOf(const Node& node) {
  Node copy;
  copy.op = node.op;
  copy.domain = node.domain;
  copy.name = node.name;
  copy.inputs = node.inputs;
  copy.outputs = node.outputs;
  copy.attributes = node.attributes;
  return copy;
}

class SiblingFusion {
 public:
  explicit SiblingFusion(Graph& graph) : graph_(graph), users_(graph.Users()) {}

  void Run() {
    for (NodeId id : graph_.NodeIds()) {
      if (graph_.node(id).IsTamis("Attention")) TryPack(id);
    }
  }

 private:
  // The Linear that makes q, k or v and nothing else reads; kNoNode if it can't be stacked.
  NodeId Projection(ValueId value) const {
    const NodeId id = graph_.value(value).producer;
    if (id == kNoNode || graph_.IsOutput(value) || users_[static_cast<size_t>(value)].size() != 1) return kNoNode;
    const Node& node = graph_.node(id);
    if (!node.IsTamis("Linear") || node.input(3) != kNoValue || !node.String("activation", "").empty()) return kNoNode;
    const Tensor* weight = graph_.ConstantInput(node, 1);
    const bool bias_known = node.input(2) == kNoValue || graph_.ConstantInput(node, 2) != nullptr;
    const bool half =
        weight != nullptr && weight->dtype() == DType::kFloat16 && graph_.value(value).type.dtype == DType::kFloat16;
    return half && bias_known ? id : kNoNode;
  }

  void TryPack(NodeId attention_id) {
    const Node attention = CopyOf(graph_.node(attention_id));
    const int64_t heads = attention.Int("num_heads", 1);
    const bool plain = attention.Int("kv_heads", heads) == heads && attention.Int("causal", 0) == 0 &&
                       attention.Int("zero_masked", 0) == 0;
    if (!plain) return;
    std::array<NodeId, 3> ids{};
    std::vector<const Tensor*> weights, biases;
    std::vector<Tensor> zeros;
    zeros.reserve(3);
    Pattern pattern = Pattern::kTwoFour;
    for (size_t i = 0; i < 3; ++i) {
      ids[i] = Projection(attention.inputs[i]);
      if (ids[i] == kNoNode || graph_.node(ids[i]).inputs[0] != graph_.node(ids[0]).inputs[0]) return;
      const Node& linear = graph_.node(ids[i]);
      weights.push_back(graph_.ConstantInput(linear, 1));
      if (weights[i]->dims() != weights[0]->dims()) return;
      if (graph_.value(linear.inputs[1]).pattern != Pattern::kTwoFour) pattern = Pattern::kDense;
      if (const Tensor* bias = graph_.ConstantInput(linear, 2)) {
        biases.push_back(bias);
      } else {
        zeros.emplace_back(DType::kFloat32, Dims{weights[i]->dim(0)});
        biases.push_back(&zeros.back());
      }
    }
    const int64_t depth = weights[0]->dim(0) / heads;
    if (depth != 32 && depth != 64 && depth != 128) return;  // what PackedAttention's kernel takes
    const Value& q = graph_.value(attention.inputs[0]);
    const std::string name = q.name + "_qkv";
    Type type = q.type;
    type.shape.back() = Dim(3 * weights[0]->dim(0));
    Node linear = CopyOf(graph_.node(ids[0]));
    const ValueId weight = AddStacked(graph_, name + "_weight", weights, pattern);
    const ValueId bias = AddStacked(graph_, name + "_bias", biases, Pattern::kDense);
    const ValueId packed = graph_.AddValue(graph_.FreshName(name), type);
    linear.inputs = {linear.inputs[0], weight, bias};
    linear.outputs = {packed};
    Node fused = CopyOf(attention);
    fused.op = "PackedAttention";
    fused.inputs = {packed};
    if (attention.input(3) != kNoValue) fused.inputs.push_back(attention.inputs[3]);
    for (NodeId id : ids) graph_.RemoveNode(id);
    graph_.RemoveNode(attention_id);
    graph_.AddNode(std::move(linear));
    graph_.AddNode(std::move(fused));
  }

  Graph& graph_;
  std::vector<std::vector<NodeId>> users_;
};

// The node that makes `value` for one reader alone, if it is this operator; nullptr otherwise.
const Node* SoleProducer(const Graph& graph, const std::vector<std::vector<NodeId>>& users, ValueId value,
                         std::string_view op) {
  if (value == kNoValue || graph.IsOutput(value) || users[static_cast<size_t>(value)].size() != 1) return nullptr;
  const NodeId id = graph.value(value).producer;
  return id != kNoNode && graph.node(id).Is(op) ? &graph.node(id) : nullptr;
}

// The first convolution of a network reads the images as they come.
void ReadImagesDirectly(Graph& graph) {
  const auto users = graph.Users();
  for (NodeId id : graph.NodeIds()) {
    Node& conv = graph.node(id);
    if (!conv.IsTamis("ChannelsLastConv") || conv.Int("group", 1) != 1) continue;
    const Tensor* weight = graph.ConstantInput(conv, 1);
    if (weight == nullptr || weight->dtype() != DType::kFloat16 || weight->rank() != 4 || weight->dim(3) >= 8 ||
        weight->dim(2) > 8 || conv.Ints("dilations") != Dims{1, 1}) {
      continue;
    }
    const Node* cast = SoleProducer(graph, users, conv.inputs[0], "Cast");
    const Node* transpose = cast == nullptr ? nullptr : SoleProducer(graph, users, cast->inputs[0], "Transpose");
    if (transpose == nullptr || transpose->Ints("perm") != Dims{0, 2, 3, 1}) continue;
    if (graph.value(transpose->inputs[0]).type.dtype != DType::kFloat32) continue;
    conv.op = "ChannelsFirstConv";
    conv.inputs[0] = transpose->inputs[0];
    const NodeId cast_id = graph.value(cast->outputs[0]).producer;
    const NodeId transpose_id = graph.value(transpose->outputs[0]).producer;
    graph.RemoveNode(cast_id);
    graph.RemoveNode(transpose_id);
  }
}

}  // namespace

Status FuseForCuda(Graph& graph) {
  SiblingFusion(graph).Run();
  ReadImagesDirectly(graph);
  TAMIS_RETURN_IF_ERROR(graph.Sort());
  graph.Compact();
  return {};
}

}  // namespace tamis
