// What only GPUs want of an int8 graph (fuse_for_cuda.h): images quantised by the first convolution, codes instead of
// numbers as residuals, norms that give codes, f16 between int8 work and the rest.
#include <algorithm>
#include <optional>

#include "src/cuda/fuse_parts.h"

namespace tamis {
namespace {

// One scale and zero point for a whole tensor.
struct Coding {
  float scale = 1;
  int64_t zero = 0;
  DType codes = DType::kUndefined;
};

// Of a QuantizeLinear or DequantizeLinear with constants of that kind.
std::optional<Coding> CodingOf(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.ConstantInput(node, 1);
  const Tensor* zero = graph.ConstantInput(node, 2);
  const ValueId coded = node.Is("QuantizeLinear") ? node.outputs[0] : node.inputs[0];
  const DType codes = graph.value(coded).type.dtype;
  const bool plain = scale != nullptr && scale->dtype() == DType::kFloat32 && scale->NumElements() == 1 &&
                     (node.input(2) == kNoValue || (zero != nullptr && zero->NumElements() == 1)) &&
                     (codes == DType::kUInt8 || codes == DType::kInt8);
  if (!plain) return std::nullopt;
  return Coding{scale->Data<float>()[0], zero == nullptr ? 0 : zero->ToInt64s()[0], codes};
}

class QuantizedFusion {
 public:
  explicit QuantizedFusion(Graph& graph) : graph_(graph) {}

  void Run() {
    ForEach([&](NodeId id) { QuantizeImages(id); });
    ForEach([&](NodeId id) { TakeCodesAsResidual(id); });
    ForEach([&](NodeId id) { RemoveCast(id); });
    ForEach([&](NodeId id) { WriteHalf(id); });
    ForEach([&](NodeId id) { QuantizeNorm(id); });
  }

 private:
  template <class F>
  void ForEach(F&& f) {
    users_ = graph_.Users();
    for (const NodeId id : graph_.NodeIds()) {
      if (!graph_.node(id).removed) f(id);
    }
  }
  DType& TypeOf(ValueId value) { return graph_.value(value).type.dtype; }
  bool ReadOnlyBy(ValueId value, std::string_view op) const {
    const auto& readers = users_[static_cast<size_t>(value)];
    return !readers.empty() && !graph_.IsOutput(value) &&
           std::all_of(readers.begin(), readers.end(), [&](NodeId id) { return graph_.node(id).Is(op); });
  }

  void QuantizeImages(NodeId id) {
    Node& conv = graph_.node(id);
    if (!conv.IsTamis("QuantizedConv") || conv.input(4) != kNoValue || !IsQuantizedProduct(graph_, conv)) return;
    if (!IsFirstKernel(conv, *graph_.ConstantInput(conv, 1))) return;
    const Node* transpose = SoleProducer(graph_, users_, conv.inputs[0], "Transpose");
    if (transpose == nullptr || transpose->Ints("perm") != Dims{0, 2, 3, 1}) return;
    const Node* quantize = SoleProducer(graph_, users_, transpose->inputs[0], "QuantizeLinear");
    if (quantize == nullptr || TypeOf(quantize->inputs[0]) != DType::kFloat32) return;
    const auto coding = CodingOf(graph_, *quantize);
    if (!coding || coding->zero != conv.Int("x_zero_point", 0)) return;
    conv.op = "QuantizedChannelsFirstConv";
    conv.attributes["x_scale"] = coding->scale;
    conv.attributes["x_dtype"] = static_cast<int64_t>(coding->codes);
    conv.inputs[0] = quantize->inputs[0];
    const NodeId quantize_id = graph_.value(quantize->outputs[0]).producer;
    const NodeId transpose_id = graph_.value(transpose->outputs[0]).producer;
    graph_.RemoveNode(transpose_id);
    graph_.RemoveNode(quantize_id);
  }

  // A residual that was dequantised for this product: the codes themselves.
  void TakeCodesAsResidual(NodeId id) {
    Node& product = graph_.node(id);
    if (!IsQuantizedProduct(graph_, product) || product.input(4) == kNoValue) return;
    const ValueId residual = product.inputs[4];
    const NodeId producer = graph_.value(residual).producer;
    if (producer == kNoNode || !graph_.node(producer).Is("DequantizeLinear")) return;
    const auto coding = CodingOf(graph_, graph_.node(producer));
    if (!coding || TypeOf(residual) != DType::kFloat32) return;
    product.attributes["residual_scale"] = coding->scale;
    product.attributes["residual_zero_point"] = coding->zero;
    product.inputs[4] = graph_.node(producer).inputs[0];
    auto& readers = users_[static_cast<size_t>(residual)];
    readers.erase(std::find(readers.begin(), readers.end(), id));
    if (readers.empty() && !graph_.IsOutput(residual)) graph_.RemoveNode(producer);
  }

  // To f16 behind a product of codes, to f32 in front of what is quantised.
  void RemoveCast(NodeId id) {
    const Node& cast = graph_.node(id);
    if (!cast.Is("Cast")) return;
    const ValueId from = cast.inputs[0], to = cast.outputs[0];
    if (TypeOf(from) == DType::kFloat32 && TypeOf(to) == DType::kFloat16) {
      const NodeId producer = graph_.value(from).producer;
      if (producer == kNoNode || graph_.IsOutput(from) || users_[static_cast<size_t>(from)].size() != 1) return;
      if (!IsQuantizedProduct(graph_, graph_.node(producer))) return;
      graph_.RemoveNode(id);
      graph_.node(producer).outputs = {to};
      graph_.value(to).producer = producer;
    } else if (TypeOf(from) == DType::kFloat16 && TypeOf(to) == DType::kFloat32 && ReadOnlyBy(to, "QuantizeLinear")) {
      for (const NodeId reader : users_[static_cast<size_t>(to)]) graph_.node(reader).inputs[0] = from;
      graph_.RemoveNode(id);
    }
  }

  // An attention of f16 that writes f32 writes f16: its kernel does nothing else. Where its result is only quantised
  // nothing takes it back to f32, elsewhere a Cast does.
  void WriteHalf(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.IsTamis("Attention") || TypeOf(node.inputs[0]) != DType::kFloat16) return;
    // Its result, or a view of it.
    std::vector<ValueId> values = {node.outputs[0]};
    if (TypeOf(values[0]) != DType::kFloat32) return;
    while (ReadOnlyBy(values.back(), "Reshape") && users_[static_cast<size_t>(values.back())].size() == 1) {
      values.push_back(graph_.node(users_[static_cast<size_t>(values.back())][0]).outputs[0]);
    }
    graph_.node(id).attributes["output_dtype"] = static_cast<int64_t>(DType::kFloat16);
    if (ReadOnlyBy(values.back(), "QuantizeLinear")) {
      for (const ValueId value : values) TypeOf(value) = DType::kFloat16;
      return;
    }
    Type type = graph_.value(values[0]).type;
    type.dtype = DType::kFloat16;
    const ValueId half = graph_.AddValue(StableName(graph_, graph_.value(values[0]).name + "_half"), type);
    graph_.node(id).outputs = {half};
    graph_.value(half).producer = id;
    Node cast;
    cast.op = "Cast";
    cast.inputs = {half};
    cast.attributes = {{"to", static_cast<int64_t>(DType::kFloat32)}};
    cast.outputs = {values[0]};
    graph_.AddNode(std::move(cast));
  }

  // LayerNormalization of f32 that is only quantised; the product before it, if it is one of codes in an f16 network,
  // writes f16 then.
  void QuantizeNorm(NodeId id) {
    const Node& norm = graph_.node(id);
    if (!norm.Is("LayerNormalization") || norm.outputs.size() != 1) return;
    const ValueId x = norm.inputs[0];
    const Type& type = graph_.value(x).type;
    const int64_t axis = norm.Int("axis", -1), rank = static_cast<int64_t>(type.shape.size());
    const Tensor* scale = graph_.ConstantInput(norm, 1);
    const Tensor* shift = graph_.ConstantInput(norm, 2);
    const NodeId producer = graph_.value(x).producer;
    if (producer != kNoNode && graph_.node(producer).Is("Add")) return;  // the start of an encoder: EmbeddingNorm
    const bool known = type.has_rank && (axis == -1 || axis == rank - 1) && scale != nullptr &&
                       scale->dtype() == DType::kFloat32 && (norm.input(2) == kNoValue || shift != nullptr) &&
                       (shift == nullptr || shift->dtype() == DType::kFloat32);
    if (!known || TypeOf(x) != DType::kFloat32) return;
    const int64_t columns = scale->NumElements();
    if (columns % 8 != 0 || columns > 2048 || columns == 0) return;
    const ValueId y = norm.outputs[0];
    if (!ReadOnlyBy(y, "QuantizeLinear") || users_[static_cast<size_t>(y)].size() != 1) return;
    const NodeId quantize = users_[static_cast<size_t>(y)][0];
    const auto coding = CodingOf(graph_, graph_.node(quantize));
    if (!coding) return;
    Node fused;
    fused.op = "QuantizedLayerNorm";
    fused.domain = kTamisDomain;
    fused.inputs = norm.inputs;
    fused.attributes = {
        {"epsilon", norm.Float("epsilon", 1e-5f)}, {"y_scale", coding->scale}, {"y_zero_point", coding->zero}};
    fused.outputs = graph_.node(quantize).outputs;
    graph_.RemoveNode(id);
    graph_.RemoveNode(quantize);
    graph_.AddNode(std::move(fused));
    const bool alone = !graph_.IsOutput(x) && users_[static_cast<size_t>(x)].size() == 1;
    if (HoldsHalf() && alone && producer != kNoNode && IsQuantizedProduct(graph_, graph_.node(producer))) {
      TypeOf(x) = DType::kFloat16;
    }
  }

  // Whether the network computes in f16 elsewhere.
  bool HoldsHalf() {
    if (!holds_half_) {
      holds_half_ = false;
      for (const NodeId id : graph_.NodeIds()) {
        for (const ValueId output : graph_.node(id).outputs) {
          if (output != kNoValue && TypeOf(output) == DType::kFloat16) holds_half_ = true;
        }
      }
    }
    return *holds_half_;
  }

  Graph& graph_;
  std::vector<std::vector<NodeId>> users_;
  std::optional<bool> holds_half_;
};

}  // namespace

bool IsQuantizedProduct(const Graph& graph, const Node& node) {
  return (node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv")) &&
         graph.ConstantInput(node, 1) != nullptr && graph.ConstantInput(node, 2) != nullptr &&
         (node.input(3) == kNoValue || graph.ConstantInput(node, 3) != nullptr);
}

const Node* SoleProducer(const Graph& graph, const std::vector<std::vector<NodeId>>& users, ValueId value,
                         std::string_view op) {
  if (value == kNoValue || graph.IsOutput(value) || users[static_cast<size_t>(value)].size() != 1) return nullptr;
  const NodeId id = graph.value(value).producer;
  return id != kNoNode && graph.node(id).Is(op) ? &graph.node(id) : nullptr;
}

std::string StableName(Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    if (graph.value(static_cast<ValueId>(i)).name == name) return graph.FreshName(name);
  }
  return name;
}

bool IsFirstKernel(const Node& conv, const Tensor& weight) {
  return conv.Int("group", 1) == 1 && weight.rank() == 4 && weight.dim(3) < 8 && weight.dim(2) <= 8 &&
         conv.Ints("dilations") == Dims{1, 1};
}

void FuseQuantizedForCuda(Graph& graph) {
  QuantizedFusion(graph).Run();
}

}  // namespace tamis
