#include "src/cuda/fuse_for_cuda.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "src/cuda/fuse_parts.h"
#include "src/ops/op_float8.h"
#include "src/ops/op_tf32.h"

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
    if (node.IsTamis("QuantizedLinear")) return IsPlainQuantized(node, value) ? id : kNoNode;
    if (!node.IsTamis("Linear") || node.input(3) != kNoValue || !node.String("activation", "").empty()) return kNoNode;
    const Tensor* weight = graph_.ConstantInput(node, 1);
    const bool bias_known = node.input(2) == kNoValue || graph_.ConstantInput(node, 2) != nullptr;
    if (weight == nullptr || graph_.value(value).type.dtype != weight->dtype()) return kNoNode;
    const bool multiplied = weight->dtype() == DType::kFloat16 || weight->dtype() == DType::kBFloat16 ||
                            (weight->dtype() == DType::kFloat32 && AllowsTf32(node));
    return multiplied && bias_known ? id : kNoNode;
  }

  // A product of codes that gives f16 (FuseQuantizedForCuda has run), without residual, activation or codes behind it.
  bool IsPlainQuantized(const Node& node, ValueId value) const {
    return IsQuantizedProduct(graph_, node) && node.input(4) == kNoValue && node.String("activation", "").empty() &&
           graph_.value(value).type.dtype == DType::kFloat16;
  }

  void TryPack(NodeId attention_id) {
    const Node attention = CopyOf(graph_.node(attention_id));
    const int64_t heads = attention.Int("num_heads", 1);
    const bool plain = attention.Int("kv_heads", heads) == heads && attention.Int("causal", 0) == 0 &&
                       attention.Int("zero_masked", 0) == 0 && attention.Int("windowed", 0) == 0 &&
                       attention.Float("softcap", 0) == 0;
    const bool full = graph_.value(attention.inputs[0]).type.dtype == DType::kFloat32;
    if (!plain || (full && !AllowsTf32(attention))) return;
    std::array<NodeId, 3> ids{};
    std::vector<const Tensor*> weights, biases, scales;  // scales: of products of codes
    std::vector<Tensor> zeros;
    zeros.reserve(3);
    Pattern pattern = Pattern::kTwoFour;
    for (size_t i = 0; i < 3; ++i) {
      ids[i] = Projection(attention.inputs[i]);
      if (ids[i] == kNoNode || graph_.node(ids[i]).inputs[0] != graph_.node(ids[0]).inputs[0]) return;
      const Node& linear = graph_.node(ids[i]);
      const bool codes = linear.IsTamis("QuantizedLinear");
      if (linear.op != graph_.node(ids[0]).op || Float8ScaleOf(linear) != Float8ScaleOf(graph_.node(ids[0]))) return;
      if (codes) scales.push_back(graph_.ConstantInput(linear, 2));
      weights.push_back(graph_.ConstantInput(linear, 1));
      if (weights[i]->dims() != weights[0]->dims()) return;
      if (graph_.value(linear.inputs[1]).pattern != Pattern::kTwoFour) pattern = Pattern::kDense;
      if (const Tensor* bias = graph_.ConstantInput(linear, codes ? 3 : 2)) {
        biases.push_back(bias);
      } else {
        zeros.emplace_back(DType::kFloat32, Dims{weights[i]->dim(0)});
        biases.push_back(&zeros.back());
      }
    }
    const int64_t depth = weights[0]->dim(0) / heads;
    if (!IsFlashDepth(depth)) return;  // what PackedAttention's kernel takes
    const Value& q = graph_.value(attention.inputs[0]);
    const std::string name = q.name + "_qkv";
    Type type = q.type;
    type.shape.back() = Dim(3 * weights[0]->dim(0));
    Node linear = CopyOf(graph_.node(ids[0]));
    Tensor all_weights = Stacked(weights), all_biases = Stacked(biases);
    Tensor all_scales = scales.empty() ? Tensor() : Stacked(scales);
    const ValueId weight = AddHashed(graph_, name + "_weight", std::move(all_weights), pattern);
    const ValueId bias = AddHashed(graph_, name + "_bias", std::move(all_biases), Pattern::kDense);
    const ValueId packed = graph_.AddValue(StableName(graph_, name), type);
    linear.inputs = {linear.inputs[0], weight};
    if (all_scales.Defined()) {
      linear.inputs.push_back(AddHashed(graph_, name + "_scale", std::move(all_scales), Pattern::kDense));
    }
    linear.inputs.push_back(bias);
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

// The first convolution of a network reads the images as they come.
void ReadImagesDirectly(Graph& graph) {
  const auto users = graph.Users();
  for (NodeId id : graph.NodeIds()) {
    Node& conv = graph.node(id);
    if (!conv.IsTamis("ChannelsLastConv")) continue;
    const Tensor* weight = graph.ConstantInput(conv, 1);
    if (weight == nullptr || weight->dtype() != DType::kFloat16 || !IsFirstKernel(conv, *weight)) continue;
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

bool IsHalf(const Graph& graph, ValueId value) {
  return value != kNoValue && graph.value(value).type.IsTensor() && graph.value(value).type.dtype == DType::kFloat16;
}

// The max pool behind the first convolution, which reads most of what that one writes.
void FusePools(Graph& graph) {
  const auto users = graph.Users();
  for (NodeId id : graph.NodeIds()) {
    const Node& pool = graph.node(id);
    if (!pool.IsTamis("ChannelsLastMaxPool")) continue;
    const ValueId x = pool.inputs[0];
    const NodeId conv_id = graph.value(x).producer;
    if (conv_id == kNoNode || graph.IsOutput(x) || users[static_cast<size_t>(x)].size() != 1) continue;
    const Node& conv = graph.node(conv_id);
    const DType dtype = graph.value(x).type.dtype;
    const bool half = conv.IsTamis("ChannelsFirstConv") && dtype == DType::kFloat16 && conv.input(3) == kNoValue;
    const bool codes = conv.IsTamis("QuantizedChannelsFirstConv") && conv.Ints("table").empty() &&
                       (dtype == DType::kUInt8 || dtype == DType::kInt8);
    const std::string activation = conv.String("activation", "");
    const bool monotonic = activation.empty() || activation == "Relu" || activation == "Clip";
    const Dims pads = pool.Ints("pads"), dilations = pool.Ints("dilations");
    const bool window = pool.Ints("kernel_shape") == Dims{3, 3} && pool.Ints("strides") == Dims{2, 2} &&
                        pads.size() == 4 && pads[0] == 1 && pads[1] == 1 &&
                        (dilations.empty() || dilations == Dims{1, 1});
    const auto shape = ConstantDims(graph.value(x).type.shape);
    if ((!half && !codes) || !monotonic || !window || !shape || graph.value(pool.outputs[0]).type.dtype != dtype) {
      continue;
    }
    Node fused = CopyOf(conv);
    fused.op += "Pool";
    fused.outputs = pool.outputs;
    fused.attributes["conv_shape"] = *shape;
    fused.attributes["pool_kernel"] = pool.Ints("kernel_shape");
    fused.attributes["pool_strides"] = pool.Ints("strides");
    fused.attributes["pool_pads"] = pads;
    graph.RemoveNode(conv_id);
    graph.RemoveNode(id);
    graph.AddNode(std::move(fused));
  }
}

// The two ends of bottlenecks that meet: what one widens and adds to its residual, the next makes narrow again.
class ChainFusion {
 public:
  explicit ChainFusion(Graph& graph) : graph_(graph) {}

  void Run() {
    for (const NodeId id : graph_.NodeIds()) {
      if (!graph_.node(id).removed) TryChain(id);
    }
  }

 private:
  // Fewer rows are computed faster by kernels that cut them smaller than the chained one does.
  static constexpr int64_t kFewestRows = 8192;

  // A pointwise convolution in f16 of so many channels.
  bool IsPointwise(const Node& conv, int64_t inputs) const {
    const Tensor* weight = graph_.ConstantInput(conv, 1);
    if (!conv.IsTamis("ChannelsLastConv") || weight == nullptr || weight->dtype() != DType::kFloat16) return false;
    const std::string activation = conv.String("activation", "");
    const Dims pads = conv.Ints("pads");
    const bool plain = conv.Int("group", 1) == 1 && conv.Ints("strides") == Dims{1, 1} &&
                       std::all_of(pads.begin(), pads.end(), [](int64_t pad) { return pad == 0; });
    return plain && weight->rank() == 4 && weight->dim(1) == 1 && weight->dim(2) == 1 && weight->dim(3) == inputs &&
           (activation.empty() || activation == "Relu" || activation == "Clip") && IsHalf(graph_, conv.inputs[0]) &&
           IsHalf(graph_, conv.outputs[0]) && (conv.input(3) == kNoValue || IsHalf(graph_, conv.inputs[3]));
  }

  void TryChain(NodeId second_id) {
    const Node& second = graph_.node(second_id);
    if (!IsPointwise(second, 256) || second.input(3) != kNoValue) return;
    const int64_t reduced = graph_.ConstantInput(second, 1)->dim(0);
    const NodeId first_id = graph_.value(second.inputs[0]).producer;
    if (first_id == kNoNode || (reduced != 64 && reduced != 128)) return;
    const Node& first = graph_.node(first_id);
    if (!IsPointwise(first, 64) || graph_.ConstantInput(first, 1)->dim(0) != 256) return;
    const auto shape = ConstantDims(graph_.value(second.inputs[0]).type.shape);
    if (!shape || NumElements(*shape) / 256 < kFewestRows) return;
    Node chained = CopyOf(first);
    chained.op = "ChainedConv";
    chained.inputs.resize(4, kNoValue);
    chained.inputs.push_back(second.inputs[1]);
    if (second.input(2) != kNoValue) chained.inputs.push_back(second.inputs[2]);
    chained.outputs.push_back(second.outputs[0]);
    for (const auto& [key, value] : second.attributes) chained.attributes["second_" + key] = value;
    graph_.RemoveNode(first_id);
    graph_.RemoveNode(second_id);
    graph_.AddNode(std::move(chained));
  }

  Graph& graph_;
};

// A Linear that only a layer norm reads becomes one node with it.
void FuseNorms(Graph& graph) {
  const auto users = graph.Users();
  for (NodeId id : graph.NodeIds()) {
    const Node& norm = graph.node(id);
    if (!norm.Is("LayerNormalization") || norm.outputs.size() != 1) continue;
    const ValueId x = norm.inputs[0];
    if (graph.IsOutput(x) || users[static_cast<size_t>(x)].size() != 1) continue;
    const NodeId linear_id = graph.value(x).producer;
    if (linear_id == kNoNode || !graph.node(linear_id).IsTamis("Linear")) continue;
    const Node& linear = graph.node(linear_id);
    const Type& type = graph.value(x).type;
    const int64_t rank = static_cast<int64_t>(type.shape.size());
    const int64_t axis = norm.Int("axis", -1);
    const bool last = axis == -1 || (type.has_rank && axis == rank - 1);
    const Tensor* weight = graph.ConstantInput(linear, 1);
    const Tensor* scale = graph.ConstantInput(norm, 1);
    const Tensor* shift = graph.ConstantInput(norm, 2);
    // Not what no kernel would take: the node has no meaning outside of this device.
    const bool known = weight != nullptr && weight->rank() == 2 && weight->dim(1) % 8 == 0 && scale != nullptr &&
                       scale->NumElements() == weight->dim(0) && (norm.input(2) == kNoValue || shift != nullptr) &&
                       (shift == nullptr || shift->NumElements() == weight->dim(0));
    if (!known || (weight->dtype() != DType::kFloat16 && weight->dtype() != DType::kBFloat16)) continue;
    const auto alike = [&](ValueId value) {
      return value == kNoValue || graph.value(value).type.dtype == weight->dtype();
    };
    const bool narrow = alike(linear.inputs[0]) && alike(x) && alike(norm.outputs[0]) && alike(norm.inputs[1]) &&
                        alike(norm.input(2)) && alike(linear.input(3));
    if (!last || !narrow || !linear.String("activation", "").empty()) continue;
    Node fused = CopyOf(linear);
    fused.op = "LinearNorm";
    fused.inputs.resize(4, kNoValue);
    fused.inputs.push_back(norm.inputs[1]);
    if (norm.input(2) != kNoValue) fused.inputs.push_back(norm.inputs[2]);
    fused.outputs = norm.outputs;
    fused.attributes["epsilon"] = norm.Float("epsilon", 1e-5f);
    graph.RemoveNode(linear_id);
    graph.RemoveNode(id);
    graph.AddNode(std::move(fused));
  }
}

// `constant` as rows of `columns`, to be repeated under rows of the dimensions `rows`; nullopt if it is none.
std::optional<int64_t> RepeatedRows(const Tensor& constant, const Dims& rows, int64_t columns) {
  Dims dims = constant.dims();
  while (!dims.empty() && dims.front() == 1) dims.erase(dims.begin());
  if (constant.dtype() != DType::kFloat32 || dims.empty() || dims.back() != columns) return std::nullopt;
  dims.pop_back();
  if (dims.size() > rows.size() || !std::equal(dims.rbegin(), dims.rend(), rows.rbegin())) return std::nullopt;
  return constant.NumElements() / columns;
}

// The start of an encoder of text: rows of a table, positions and the like added, a norm.
class EmbeddingFusion {
 public:
  explicit EmbeddingFusion(Graph& graph) : graph_(graph), users_(graph.Users()) {}

  void Run() {
    for (NodeId id : graph_.NodeIds()) {
      if (graph_.node(id).Is("LayerNormalization")) TryFuse(id);  // which removes no other norm
    }
  }

 private:
  // The node that makes `value` for one reader alone.
  NodeId SoleProducerOf(ValueId value) const {
    if (value == kNoValue || graph_.IsOutput(value) || users_[static_cast<size_t>(value)].size() != 1) return kNoNode;
    return graph_.value(value).producer;
  }

  void TryFuse(NodeId norm_id) {
    const Node& norm = graph_.node(norm_id);
    const Tensor* scale = graph_.ConstantInput(norm, 1);
    const Tensor* shift = graph_.ConstantInput(norm, 2);
    if (norm.outputs.size() != 1 || scale == nullptr || scale->dtype() != DType::kFloat32) return;
    if (norm.input(2) != kNoValue && (shift == nullptr || shift->dtype() != DType::kFloat32)) return;
    std::vector<NodeId> taken = {norm_id};
    std::vector<const Tensor*> added;
    NodeId at = SoleProducerOf(norm.inputs[0]);
    for (; at != kNoNode && graph_.node(at).Is("Add"); at = SoleProducerOf(Varying(at))) {
      const Node& add = graph_.node(at);
      const Tensor* constant = graph_.ConstantInput(add, 1);
      added.push_back(constant != nullptr ? constant : graph_.ConstantInput(add, 0));
      if (added.back() == nullptr) return;
      taken.push_back(at);
    }
    if (at == kNoNode || !graph_.node(at).Is("Gather") || graph_.node(at).Int("axis", 0) != 0) return;
    taken.push_back(at);
    const Node& gather = graph_.node(at);
    const Tensor* table = graph_.ConstantInput(gather, 0);
    const Type& type = graph_.value(gather.outputs[0]).type;
    const auto dims = type.has_rank ? ConstantDims(type.shape) : std::nullopt;
    if (table == nullptr || table->dtype() != DType::kFloat32 || table->rank() != 2 || !dims || dims->empty()) return;
    const int64_t columns = table->dim(1);
    const int64_t axis = norm.Int("axis", -1);
    if (axis != -1 && axis != static_cast<int64_t>(dims->size()) - 1) return;
    if (columns % 8 != 0 || columns > 2048 || scale->NumElements() != columns) return;
    if (shift != nullptr && shift->NumElements() != columns) return;
    Dims rows(dims->begin(), dims->end() - 1);
    int64_t addend_rows = 1;
    for (const Tensor* constant : added) {
      const auto repeated = RepeatedRows(*constant, rows, columns);
      if (!repeated) return;
      addend_rows = std::max(addend_rows, *repeated);
    }
    Replace(norm_id, at, std::move(taken), SumOf(added, addend_rows, columns));
  }

  // The operand of an Add that is no constant.
  ValueId Varying(NodeId add) const {
    return graph_.node(add).inputs[graph_.ConstantInput(graph_.node(add), 1) != nullptr ? 0 : 1];
  }

  static Tensor SumOf(const std::vector<const Tensor*>& parts, int64_t rows, int64_t columns) {
    if (parts.empty()) return {};
    Tensor sum(DType::kFloat32, {rows, columns});
    for (const Tensor* part : parts) {
      const int64_t count = part->NumElements();
      for (int64_t i = 0; i < rows * columns; ++i) sum.Data<float>()[i] += part->Data<float>()[i % count];
    }
    return sum;
  }

  void Replace(NodeId norm_id, NodeId gather_id, std::vector<NodeId> taken, Tensor addend) {
    const Node norm = CopyOf(graph_.node(norm_id));
    Node fused;
    fused.op = "EmbeddingNorm";
    fused.domain = kTamisDomain;
    fused.attributes["epsilon"] = norm.Float("epsilon", 1e-5f);
    fused.inputs = {graph_.node(gather_id).inputs[0], graph_.node(gather_id).inputs[1], kNoValue, norm.inputs[1]};
    if (addend.Defined()) {
      fused.inputs[2] = AddHashed(graph_, graph_.value(norm.outputs[0]).name + "_addend", std::move(addend));
    }
    if (norm.input(2) != kNoValue) fused.inputs.push_back(norm.inputs[2]);
    fused.outputs = norm.outputs;
    const auto& readers = users_[static_cast<size_t>(norm.outputs[0])];
    if (readers.size() == 1 && !graph_.IsOutput(norm.outputs[0]) && graph_.node(readers[0]).Is("Cast") &&
        IsHalf(graph_, graph_.node(readers[0]).outputs[0])) {
      fused.outputs = graph_.node(readers[0]).outputs;
      taken.push_back(readers[0]);
    }
    for (NodeId id : taken) graph_.RemoveNode(id);
    graph_.AddNode(std::move(fused));
  }

  Graph& graph_;
  std::vector<std::vector<NodeId>> users_;
};

}  // namespace

Status FuseForCuda(Graph& graph, int compute) {
  FuseQuantizedForCuda(graph);
  ExpandFullAttention(graph);
  SiblingFusion(graph).Run();
  QuantizePackedAttention(graph);
  if (compute >= kFloat8Compute) UseFloat8(graph);
  EmbeddingFusion(graph).Run();
  FuseNorms(graph);
  ReadImagesDirectly(graph);
  FusePools(graph);
  ChainFusion(graph).Run();
  TAMIS_RETURN_IF_ERROR(graph.Sort());
  graph.Compact();
  return {};
}

}  // namespace tamis
