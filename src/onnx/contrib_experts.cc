// Mixtures of experts, MoE and QMoE: every token is the sum of the answers of the experts that a router chose for it.
//
// Written out, all experts answer all tokens, and the weights of those that were not chosen are 0.
#include <array>
#include <optional>
#include <string>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_blocks.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// The weights [experts, outputs, inputs] of a layer, and its biases [experts, outputs].
struct Layer {
  int64_t experts = 0, outputs = 0, inputs = 0;
  std::string weight, bias;
  std::optional<BlockMatrix> codes = {};  // of the weights, where these are not floats
};

// What is done with a first layer that holds gates and values.
enum class Fusion : int64_t { kNone, kInterleaved, kSideBySide };

class Experts {
 public:
  Experts(ContribNode& node, bool quantized) : node_(node), quantized_(quantized) {}

  bool Expand() {
    activation_ = node_.String("activation_type", "relu");
    const bool gated = activation_ == "swiglu";
    fusion_ = static_cast<Fusion>(gated ? node_.Int("swiglu_fusion", 0) : 0);
    if (!IsKnown()) return false;
    const auto first = ReadLayer(0), second = ReadLayer(1), gate = ReadLayer(2);
    const bool separate = gated && fusion_ == Fusion::kNone;
    if (!first || !second || separate != gate.has_value() || node_.Has(Place(2, 0)) != separate) return false;
    const std::string tokens = node_.Reshape(node_.In(0), {-1, first->inputs});
    std::string hidden;
    if (!gated) {
      hidden = Activated(Product(tokens, *first));
    } else if (separate) {
      hidden = Gated(Product(tokens, *first), Product(tokens, *gate));
    } else {
      const auto halves = Halves(*first);
      hidden = Gated(Product(tokens, halves[0]), Product(tokens, halves[1]));
    }
    const std::string answers = Product(hidden, *second);
    const std::string shares = node_.Unsqueeze(node_.Transpose(Shares(), {1, 0}), {2});
    const std::string sum = node_.ReduceSum(node_.Emit("Mul", {answers, shares}), {0}, false);
    node_.Give(0, node_.Emit("Reshape", {sum, node_.Emit("Shape", {node_.In(0)})}));
    return true;
  }

 private:
  // Weight, scales (of codes) and bias of a layer.
  int Place(int layer, int part) const { return quantized_ ? 2 + 3 * layer + part : 2 + 2 * layer + (part + 1) / 2; }

  bool IsKnown() const {
    const bool known = activation_ == "relu" || activation_ == "gelu" || activation_ == "silu" ||
                       activation_ == "identity" || activation_ == "swiglu";
    const bool fused = fusion_ >= Fusion::kNone && fusion_ <= Fusion::kSideBySide;
    if (!known || !fused || node_.Int("k", 1) < 1 || node_.Int("use_sparse_mixer", 0) != 0) return false;
    if (node_.Int("swiglu_limit_after_activation", 0) != 0) return false;
    if (!quantized_) return true;
    for (int i = kRouterWeights; i < node_.num_inputs(); ++i) {
      if (node_.Has(i)) return false;
    }
    for (const char* bits : {"fc1_expert_weight_bits", "fc2_expert_weight_bits", "fc3_expert_weight_bits"}) {
      if (node_.HasAttribute(bits)) return false;
    }
    return node_.String("quant_type", "int") == "int" && node_.Int("weights_prepacked", 0) < 1;
  }

  std::optional<Layer> ReadLayer(int layer) const {
    const std::string name = node_.In(Place(layer, 0));
    const onnx::TensorProto* weight = node_.Initializer(name);
    if (weight == nullptr || weight->dims_size() != 3) return std::nullopt;
    Layer read = {weight->dims(0), weight->dims(1), weight->dims(2), name, node_.In(Place(layer, 2))};
    if (!quantized_) return read;
    const int64_t bits = node_.Int("expert_weight_bits", 4);
    if (bits != 4 && bits != 8) return std::nullopt;
    if (weight->data_type() == onnx::TensorProto::UINT8) read.inputs = read.inputs * 8 / bits;
    const int64_t block = node_.Int("block_size", 0);
    BlockMatrix matrix = {read.experts * read.outputs, read.inputs, block > 0 ? block : read.inputs, bits};
    matrix.codes = name;
    matrix.scales = node_.In(Place(layer, 1));
    matrix.zero_points = node_.In(kZeroPoints + layer);
    if (matrix.scales.empty() || !tamis::IsKnown(node_, matrix)) return std::nullopt;
    read.codes = matrix;
    return read;
  }

  std::string Weight(const Layer& layer) {
    if (!layer.codes) return layer.weight;
    return node_.Reshape(Dequantized(node_, *layer.codes), {layer.experts, layer.outputs, layer.inputs});
  }

  // [experts, tokens, outputs]
  std::string Product(const std::string& x, const Layer& layer) {
    const std::string y = node_.Emit("MatMul", {x, node_.Transpose(Weight(layer), {0, 2, 1})});
    return layer.bias.empty() ? y : node_.Emit("Add", {y, node_.Unsqueeze(layer.bias, {1})});
  }

  // Gates and values of a layer that holds both.
  std::array<Layer, 2> Halves(const Layer& both) {
    const int64_t half = both.outputs / 2;
    const bool interleaved = fusion_ == Fusion::kInterleaved;
    const auto parts = [&](const std::string& x, bool matrix) {
      std::vector<int64_t> apart = {both.experts, half, 2}, whole = {both.experts, half};
      if (!interleaved) std::swap(apart[1], apart[2]);
      if (matrix) {
        apart.push_back(both.inputs);
        whole.push_back(both.inputs);
      }
      auto halves = node_.Split(node_.Reshape(x, apart), interleaved ? 2 : 1, 2);
      for (std::string& part : halves) part = node_.Reshape(part, whole);
      return halves;
    };
    const auto weights = parts(Weight(both), true);
    const auto biases = both.bias.empty() ? ContribNode::Names{"", ""} : parts(both.bias, false);
    return {Layer{both.experts, half, both.inputs, weights[0], biases[0]},
            Layer{both.experts, half, both.inputs, weights[1], biases[1]}};
  }

  std::string Activated(const std::string& x) {
    if (activation_ == "relu") return node_.Emit("Relu", {x});
    if (activation_ == "silu") return node_.Emit("Mul", {x, node_.Emit("Sigmoid", {x})});
    return activation_ == "gelu" ? node_.Emit("Gelu", {x}, {{"approximate", std::string("tanh")}}) : x;
  }

  std::string Like(float value, const std::string& x) {
    return node_.Emit("CastLike", {node_.FloatConstant(value), x});
  }

  std::string Gated(std::string gate, std::string value) {
    const float alpha = node_.Float("activation_alpha", 1), beta = node_.Float("activation_beta", 0);
    if (node_.HasAttribute("swiglu_limit")) {
      const float limit = node_.Float("swiglu_limit", 0);
      gate = node_.Emit("Min", {gate, Like(limit, gate)});
      value = node_.Emit("Clip", {value, Like(-limit, value), Like(limit, value)});
    }
    const std::string scaled = alpha == 1 ? gate : node_.Emit("Mul", {gate, Like(alpha, gate)});
    const std::string shifted = beta == 0 ? value : node_.Emit("Add", {value, Like(beta, value)});
    return node_.Emit("Mul", {node_.Emit("Mul", {gate, node_.Emit("Sigmoid", {scaled})}), shifted});
  }

  // [tokens, experts]: each expert's share of a token.
  std::string Shares() {
    const std::string router = node_.In(1);
    const ContribNode::Attributes last = {{"axis", int64_t{-1}}};
    const auto top = node_.EmitMany("TopK", {router, node_.IntsConstant({node_.Int("k", 1)})}, last, 2);
    const std::string chosen =
        node_.Int("normalize_routing_weights", 0) != 0
            ? node_.Emit("Softmax", {top[0]}, last)
            : node_.Emit("GatherElements", {node_.Emit("Softmax", {router}, last), top[1]}, last);
    const std::string none =
        node_.Emit("CastLike", {node_.Emit("ConstantOfShape", {node_.Emit("Shape", {router})}), router});
    return node_.Emit("ScatterElements", {none, top[1], chosen}, last);
  }

  static constexpr int kZeroPoints = 11, kRouterWeights = 14;

  ContribNode& node_;
  const bool quantized_;
  std::string activation_;
  Fusion fusion_ = Fusion::kNone;
};

}  // namespace

std::span<const ContribRule> ExpertRules() {
  static constexpr auto kRules =
      std::to_array<ContribRule>({{"MoE", [](ContribNode& node) { return Experts(node, false).Expand(); }},
                                  {"QMoE", [](ContribNode& node) { return Experts(node, true).Expand(); }}});
  return kRules;
}

}  // namespace tamis
