// What only GPUs want of an int8 graph (fuse_for_cuda.h): images quantised by the first convolution, codes instead of
// numbers as residuals, norms and attentions that give codes, the factors of balancing in the scales of codes, f16
// between int8 work and the rest.
#include <algorithm>
#include <cmath>
#include <optional>

#include "src/base/hash.h"
#include "src/cuda/fuse_parts.h"
#include "src/ops/op_quantized.h"

namespace tamis {
namespace {

// One scale and zero point for a whole tensor.
struct Coding {
  float scale = 1;
  int64_t zero = 0;
  DType codes = DType::kUndefined;
};

// What the numbers along the last axis of a QuantizeLinear's input are multiplied by before they are rounded.
struct Factors {
  std::vector<float> factors;  // one, or one an index
  int64_t zero = 0;
};

// Of a QuantizeLinear to 8-bit codes with one zero point, and one scale or one for each index of the last axis.
std::optional<Factors> FactorsOf(const Graph& graph, const Node& quantize) {
  const Tensor* scale = graph.ConstantInput(quantize, 1);
  const Tensor* zero = graph.ConstantInput(quantize, 2);
  const Type& type = graph.value(quantize.inputs[0]).type;
  const DType codes = graph.value(quantize.outputs[0]).type.dtype;
  if (scale == nullptr || scale->dtype() != DType::kFloat32 || (codes != DType::kUInt8 && codes != DType::kInt8)) {
    return std::nullopt;
  }
  if ((quantize.input(2) != kNoValue && zero == nullptr) || quantize.Int("block_size", 0) != 0) return std::nullopt;
  Factors read;
  if (scale->NumElements() != 1) {
    const auto rank = static_cast<int64_t>(type.shape.size());
    const int64_t axis = quantize.Int("axis", 1);
    if (!type.has_rank || scale->rank() != 1 || (axis != -1 && axis != rank - 1)) return std::nullopt;
  }
  for (const float each : scale->Span<float>())
    read.factors.push_back(static_cast<float>(1 / static_cast<double>(each)));
  if (zero == nullptr) return read;
  const std::vector<int64_t> zeros = zero->ToInt64s();
  if (zeros.empty() || std::any_of(zeros.begin(), zeros.end(), [&](int64_t z) { return z != zeros[0]; })) {
    return std::nullopt;
  }
  read.zero = zeros[0];
  return read;
}

ValueId AddVector(Graph& graph, const std::string& name, const std::vector<float>& numbers) {
  const Dims dims = {static_cast<int64_t>(numbers.size())};
  return AddHashed(graph, name, Tensor::Of<float>(DType::kFloat32, dims, std::span<const float>(numbers)));
}

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
    ForEach([&](NodeId id) { SplitNorm(id); });
    ForEach([&](NodeId id) { QuantizeImages(id); });
    ForEach([&](NodeId id) { TakeCodesAsResidual(id); });
    ForEach([&](NodeId id) { FoldFactors(id); });
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

  // A norm that writes codes, as CPUs have it, into what QuantizeNorm starts from: more than one node may become part
  // of the norm of a GPU.
  void SplitNorm(NodeId id) {
    if (!graph_.node(id).IsTamis("QuantizedLayerNorm") || !graph_.node(id).Has("y_dtype")) return;
    const std::string name = graph_.value(graph_.node(id).outputs[0]).name;
    const std::vector<float> y_scale = {graph_.node(id).Float("y_scale", 1)};
    const DType codes = TypeOf(graph_.node(id).outputs[0]);
    Tensor y_zero(codes, Dims{});
    y_zero.raw()[0] = static_cast<std::byte>(graph_.node(id).Int("y_zero_point", 0));
    const ValueId scale = AddHashed(graph_, name + "_scale", Tensor::Of<float>(DType::kFloat32, {}, y_scale));
    const ValueId zero = AddHashed(graph_, name + "_zero", std::move(y_zero));
    Type type = graph_.value(graph_.node(id).inputs[0]).type;
    const ValueId normal = graph_.AddValue(StableName(graph_, name + "_norm"), std::move(type));
    Node norm = LayerNormOf(graph_.node(id)), quantize;
    norm.outputs = {normal};
    quantize.op = "QuantizeLinear";
    quantize.inputs = {normal, scale, zero};
    quantize.outputs = graph_.node(id).outputs;
    graph_.RemoveNode(id);
    graph_.AddNode(std::move(norm));
    graph_.AddNode(std::move(quantize));
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

  // A Mul between numbers and their codes: its factors divide the scale.
  void FoldFactors(NodeId id) {
    const Node& mul = graph_.node(id);
    if (!mul.Is("Mul") || !ReadOnlyBy(mul.outputs[0], "QuantizeLinear")) return;
    const size_t constant = graph_.ConstantInput(mul, 1) != nullptr ? 1 : 0;
    const Tensor* factors = graph_.ConstantInput(mul, constant);
    const ValueId x = mul.inputs[1 - constant], product = mul.outputs[0];
    if (factors == nullptr || graph_.value(x).IsConstant() || factors->dtype() != DType::kFloat32) return;
    const auto dims = ConstantDims(graph_.value(x).type.shape);
    if (!dims || dims->empty() || TypeOf(x) != DType::kFloat32) return;
    const int64_t columns = dims->back();
    if (factors->NumElements() != columns || factors->dims().back() != columns) return;
    if (factors->dims().size() > dims->size()) return;
    const std::vector<float> numbers(factors->Span<float>().begin(), factors->Span<float>().end());
    if (!std::all_of(numbers.begin(), numbers.end(), [](float f) { return f > 0 && std::isnormal(f); })) return;
    const std::vector<NodeId> readers = users_[static_cast<size_t>(product)];
    for (const NodeId reader : readers) {
      const auto coding = CodingOf(graph_, graph_.node(reader));
      if (!coding || graph_.node(reader).inputs[0] != product) return;
      if (!std::all_of(numbers.begin(), numbers.end(), [&](float f) { return std::isnormal(coding->scale / f); }))
        return;
    }
    for (const NodeId reader : readers) {
      const Coding coding = *CodingOf(graph_, graph_.node(reader));
      std::vector<float> scales;
      scales.reserve(numbers.size());
      for (const float f : numbers) {
        scales.push_back(static_cast<float>(static_cast<double>(coding.scale) / static_cast<double>(f)));
      }
      Tensor zeros(coding.codes, {columns});
      for (int64_t i = 0; i < columns; ++i) zeros.raw()[i] = static_cast<std::byte>(coding.zero);
      const std::string name = graph_.value(graph_.node(reader).outputs[0]).name;
      const ValueId scale = AddVector(graph_, name + "_scales", scales);
      const ValueId zero = AddHashed(graph_, name + "_zeros", std::move(zeros));
      Node& quantize = graph_.node(reader);
      quantize.inputs = {x, scale, zero};
      quantize.attributes["axis"] = static_cast<int64_t>(dims->size()) - 1;
    }
    graph_.RemoveNode(id);
  }

  // LayerNormalization of f32 that is quantised. What else reads it gets it in f16 where it takes that. The product
  // before it, if it is one of codes in an f16 network, writes f16 then, and leaves its residual to the norm.
  void QuantizeNorm(NodeId id) {
    const Node& norm = graph_.node(id);
    if (!norm.Is("LayerNormalization") || norm.outputs.size() != 1) return;
    const ValueId x = norm.inputs[0], y = norm.outputs[0];
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
    NodeId quantize = kNoNode;
    bool others = graph_.IsOutput(y), halves = !graph_.IsOutput(y) && HoldsHalf();
    for (const NodeId reader : users_[static_cast<size_t>(y)]) {
      if (graph_.node(reader).Is("QuantizeLinear")) {
        if (quantize != kNoNode && quantize != reader) return;
        quantize = reader;
      } else {
        others = true;
        halves = halves && TakesHalfAsResidual(graph_.node(reader), y);
      }
    }
    const auto factors = quantize == kNoNode ? std::nullopt : FactorsOf(graph_, graph_.node(quantize));
    const bool alone = !graph_.IsOutput(x) && users_[static_cast<size_t>(x)].size() == 1;
    const bool narrows =
        HoldsHalf() && alone && producer != kNoNode && IsQuantizedProduct(graph_, graph_.node(producer));
    const bool adds = narrows && LeavesResidual(graph_.node(producer));
    if (!factors && !adds) return;
    Node fused;
    fused.op = factors ? "QuantizedLayerNorm" : "ResidualLayerNorm";
    fused.domain = kTamisDomain;
    fused.inputs = norm.inputs;
    fused.attributes["epsilon"] = norm.Float("epsilon", 1e-5f);
    if (narrows) TypeOf(x) = DType::kFloat16;
    if (adds) {
      fused.inputs.resize(4, kNoValue);
      fused.inputs[3] = graph_.node(producer).inputs[4];
      graph_.node(producer).inputs.resize(4);
    }
    if (factors) {
      const Node& coder = graph_.node(quantize);
      fused.attributes["y_zero_point"] = factors->zero;
      fused.outputs = coder.outputs;
      if (others) fused.outputs.push_back(y);
      if (others && halves) TypeOf(y) = DType::kFloat16;
      if (const auto coding = CodingOf(graph_, coder)) {
        fused.attributes["y_scale"] = coding->scale;
      } else {
        fused.inputs.resize(5, kNoValue);
        fused.inputs[4] = AddVector(graph_, graph_.value(fused.outputs[0]).name + "_factors", factors->factors);
      }
      graph_.RemoveNode(quantize);
    } else {
      fused.outputs = {y};
    }
    graph_.RemoveNode(id);
    graph_.AddNode(std::move(fused));
  }

  // Whether the node reads y as a residual only, which its kernels take in f16 too.
  bool TakesHalfAsResidual(const Node& node, ValueId y) const {
    const size_t residual = node.IsTamis("QuantizedLayerNorm") ? 3 : 4;
    if (residual == 4 && !IsQuantizedProduct(graph_, node)) return false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == y && i != residual) return false;
    }
    return true;
  }

  // Whether the last that a product of codes does is to add numbers, like its result, in f16 or f32.
  bool LeavesResidual(const Node& product) {
    if (!product.IsTamis("QuantizedLinear") || product.input(4) == kNoValue) return false;
    const DType dtype = TypeOf(product.inputs[4]);
    return (dtype == DType::kFloat16 || dtype == DType::kFloat32) && product.String("activation", "").empty() &&
           !product.Has("table");
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

ValueId AddHashed(Graph& graph, const std::string& name, Tensor constant, Pattern pattern) {
  const ValueId id = graph.AddConstant(graph.FreshName(name), std::move(constant));
  graph.value(id).constant_hash = HashTensor(*graph.value(id).constant);
  graph.value(id).pattern = pattern;
  return id;
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

void QuantizePackedAttention(Graph& graph) {
  const auto users = graph.Users();
  const auto sole_reader = [&](ValueId value) {
    const auto& readers = users[static_cast<size_t>(value)];
    return readers.size() == 1 && !graph.IsOutput(value) ? readers[0] : kNoNode;
  };
  for (const NodeId id : graph.NodeIds()) {
    if (!graph.node(id).IsTamis("PackedAttention")) continue;
    const ValueId y = graph.node(id).outputs[0];
    const NodeId quantize = sole_reader(y);
    if (quantize == kNoNode || !graph.node(quantize).Is("QuantizeLinear") || graph.node(quantize).inputs[0] != y)
      continue;
    auto factors = FactorsOf(graph, graph.node(quantize));
    const auto dims = ConstantDims(graph.value(y).type.shape);
    if (!factors || !dims || dims->empty()) continue;
    if (factors->factors.size() == 1) factors->factors.assign(static_cast<size_t>(dims->back()), factors->factors[0]);
    const ValueId codes = graph.node(quantize).outputs[0];
    const ValueId vector = AddVector(graph, graph.value(codes).name + "_factors", factors->factors);
    Node& attention = graph.node(id);
    attention.op = "QuantizedPackedAttention";
    attention.inputs.resize(2, kNoValue);
    attention.inputs.push_back(vector);
    attention.attributes["y_zero_point"] = factors->zero;
    graph.RemoveNode(quantize);
    graph.node(id).outputs = {codes};
    graph.value(codes).producer = id;
  }
}

}  // namespace tamis
