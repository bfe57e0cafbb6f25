// Norms with what onnxruntime's optimizer took into them: a residual, a bias, embeddings.
#include <array>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// Input, skip, gamma, beta (not without means), bias; the mean and the deviation are outputs for training.
bool ExpandSkip(ContribNode& node, bool means) {
  if (node.Wants(1) || node.Wants(2)) return false;
  const int bias = means ? 4 : 3;
  const std::string sum = node.AddIf(node.Emit("Add", {node.In(0), node.In(1)}), node.In(bias));
  const ContribNode::Attributes attributes = {{"axis", int64_t{-1}}, {"epsilon", node.Float("epsilon", 1e-12F)}};
  // The sum is read by the norm as well, so that it is given by a copy.
  const std::string sum_output = node.Wants(3) ? node.Emit("Identity", {sum}) : "";
  if (!sum_output.empty()) node.Give(3, sum_output);
  node.Give(0, means ? node.Emit("LayerNormalization", {sum, node.In(2), node.In(3)}, attributes)
                     : node.Emit("RMSNormalization", {sum, node.In(2)}, attributes));
  return true;
}

bool ExpandSimplified(ContribNode& node) {
  if (node.Wants(1)) return false;
  node.Give(0, node.Emit("RMSNormalization", {node.In(0), node.In(1)},
                         {{"axis", node.Int("axis", -1)}, {"epsilon", node.Float("epsilon", 1e-5F)}}));
  return true;
}

// Token, segment and position embeddings, gathered and added. Where nobody gives positions, tokens are counted.
std::string Embedded(ContribNode& node, const std::string& words, const std::string& positions,
                     const std::string& segments, std::string place) {
  if (place.empty()) place = node.Places(node.SizeOf(node.In(0), 1));
  const std::string tokens = node.Emit("Gather", {words, node.In(0)});
  const std::string sum = node.Emit("Add", {tokens, node.Emit("Gather", {positions, place})});
  return segments.empty() ? sum : node.Emit("Add", {sum, node.Emit("Gather", {segments, node.In(1)})});
}

// The second output is how many tokens of each row the mask keeps; zeros where there is no mask.
bool GiveEmbedded(ContribNode& node, const std::string& sum, const std::string& gamma, const std::string& beta) {
  if (node.Wants(1)) {
    const std::string kept = node.Has(7) ? node.ReduceSum(node.In(7), {1}, false)
                                         : node.Emit("Expand", {node.IntsConstant({0}), node.SizeOf(node.In(0), 0)});
    node.Give(1, node.Emit("Cast", {kept}, {{"to", int64_t{onnx::TensorProto::INT32}}}));
  }
  if (node.Wants(2)) node.Give(2, node.Emit("Identity", {sum}));
  node.Give(0, node.Emit("LayerNormalization", {sum, gamma, beta},
                         {{"axis", int64_t{-1}}, {"epsilon", node.Float("epsilon", 1e-12F)}}));
  return true;
}

bool ExpandEmbed(ContribNode& node) {
  if (node.num_inputs() < 7) return false;
  const std::string segments = node.Has(1) ? node.In(4) : "";
  return GiveEmbedded(node, Embedded(node, node.In(2), node.In(3), segments, node.In(8)), node.In(5), node.In(6));
}

// The same on codes: the tables and factors are inputs 2 to 6, their scales 8 to 12, their zero points 13 to 17.
bool ExpandQuantizedEmbed(ContribNode& node) {
  if (node.num_inputs() < 18) return false;
  const auto wide = [&node](int i) {
    return node.Has(i) ? node.Emit("DequantizeLinear", {node.In(i), node.In(i + 6), node.In(i + 11)}) : "";
  };
  const std::string words = wide(2), positions = wide(3), segments = node.Has(1) ? wide(4) : "";
  const std::string sum = Embedded(node, words, positions, segments, "");
  return GiveEmbedded(node, sum, wide(5), wide(6));
}

// Images channels last: norms over groups of channels, scaled by channel, then perhaps SiLU.
bool GiveGroupNorm(ContribNode& node, const std::string& x) {
  const int64_t groups = node.Int("groups", 0);
  const std::string first = node.Transpose(x, {0, 3, 1, 2});
  const std::string by_group = node.Reshape(first, {0, groups, -1});
  const std::string ones = node.Emit("Expand", {node.FloatConstant(1), node.IntsConstant({groups})});
  const std::string zeros = node.Emit("Expand", {node.FloatConstant(0), node.IntsConstant({groups})});
  std::string y = node.Emit("InstanceNormalization",
                            {by_group, node.Emit("CastLike", {ones, x}), node.Emit("CastLike", {zeros, x})},
                            {{"epsilon", node.Float("epsilon", 1e-5F)}});
  y = node.Emit("Reshape", {y, node.Emit("Shape", {first})});
  const auto by_channel = [&](int i) { return node.Emit("CastLike", {node.Reshape(node.In(i), {-1, 1, 1}), x}); };
  y = node.Emit("Mul", {y, by_channel(1)});
  y = node.Emit("Add", {y, by_channel(2)});
  if (node.Int("activation", 0) == 1) y = node.Emit("Mul", {y, node.Emit("Sigmoid", {y})});
  node.Give(0, node.Transpose(y, {0, 2, 3, 1}));
  return true;
}

bool ExpandGroupNorm(ContribNode& node) {
  if (node.Int("groups", 0) < 1 || node.Int("channels_last", 1) == 0) return false;
  return GiveGroupNorm(node, node.In(0));
}

// x, gamma, beta, skip, bias?; the second output is the sum.
bool ExpandSkipGroupNorm(ContribNode& node) {
  if (node.Int("groups", 0) < 1 || node.Int("channels_last", 1) == 0) return false;
  std::string skip = node.In(3);
  if (node.Rank(skip) == 2) skip = node.Unsqueeze(skip, {1, 2});
  const std::string sum = node.AddIf(node.Emit("Add", {node.In(0), skip}), node.In(4));
  if (node.Wants(1)) node.Give(1, node.Emit("Identity", {sum}));
  return GiveGroupNorm(node, sum);
}

}  // namespace

std::span<const ContribRule> NormRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({
      {"EmbedLayerNormalization", ExpandEmbed},
      {"GroupNorm", ExpandGroupNorm},
      {"QEmbedLayerNormalization", ExpandQuantizedEmbed},
      {"SimplifiedLayerNormalization", ExpandSimplified},
      {"SkipGroupNorm", ExpandSkipGroupNorm},
      {"SkipLayerNormalization", [](ContribNode& node) { return ExpandSkip(node, true); }},
      {"SkipSimplifiedLayerNormalization", [](ContribNode& node) { return ExpandSkip(node, false); }},
  });
  return kRules;
}

}  // namespace tamis
