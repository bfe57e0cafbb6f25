#include "src/passes/codes.h"

#include <array>

#include "src/ops/op_tamis.h"
#include "src/passes/match.h"

namespace tamis {

bool Is8Bit(DType dtype) {
  return dtype == DType::kUInt8 || dtype == DType::kInt8;
}

std::optional<Codes> ScalarCodes(const Graph& graph, ValueId value, ValueId scale, ValueId zero, DType dtype) {
  const auto factor = ScalarConstant(graph, scale);
  const auto shift = zero == kNoValue ? std::optional(0.0) : ScalarConstant(graph, zero);
  if (!factor || !shift || !Is8Bit(dtype) || !(*factor > 0) || DTypeOf(graph, scale) != DType::kFloat32) {
    return std::nullopt;
  }
  return Codes{value, *factor, static_cast<int64_t>(*shift), dtype};
}

std::optional<Codes> CodesOf(const Graph& graph, const Node& node) {
  const bool quantize = node.Is("QuantizeLinear");
  if ((!quantize && !node.Is("DequantizeLinear")) || node.Int("block_size", 0) != 0 || node.Has("precision")) {
    return std::nullopt;
  }
  const ValueId codes = quantize ? node.outputs[0] : node.input(0);
  const ValueId numbers = quantize ? node.input(0) : node.outputs[0];
  if (DTypeOf(graph, numbers) != DType::kFloat32) return std::nullopt;
  return ScalarCodes(graph, codes, node.input(1), node.input(2), DTypeOf(graph, codes));
}

std::optional<Codes> DequantizedCodes(const Graph& graph, ValueId value) {
  const Node* node = Producer(graph, value, "DequantizeLinear");
  return node == nullptr ? std::nullopt : CodesOf(graph, *node);
}

void SetCodes(const Codes& y, std::map<std::string, Attribute>* attributes) {
  (*attributes)["y_dtype"] = static_cast<int64_t>(y.dtype);
  (*attributes)["y_scale"] = static_cast<float>(y.scale);
  (*attributes)["y_zero_point"] = y.zero;
}

std::optional<std::map<std::string, Attribute>> ActivationOf(const Graph& graph, const Node& node) {
  using Attributes = std::map<std::string, Attribute>;
  const auto named = [](Activation activation) { return Attributes{{"activation", std::string(Name(activation))}}; };
  if (const auto bounds = ClipBounds(graph, node)) {
    Attributes attributes = named(Activation::kClip);
    attributes["clip_min"] = static_cast<float>(bounds->first);
    attributes["clip_max"] = static_cast<float>(bounds->second);
    return attributes;
  }
  if (node.Is("Gelu")) {
    return named(node.String("approximate", "none") == "tanh" ? Activation::kGeluTanh : Activation::kGelu);
  }
  if (node.Is("Swish") && node.Float("alpha", 1) == 1) return named(Activation::kSilu);
  constexpr std::array<Activation, 4> kSameName = {Activation::kRelu, Activation::kHardSwish, Activation::kSigmoid,
                                                   Activation::kTanh};
  for (Activation activation : kSameName) {
    if (node.Is(Name(activation))) return named(activation);
  }
  return std::nullopt;
}

}  // namespace tamis
