// Batches without padding, as onnxruntime's packing mode has them: the tokens of all sequences in one list, and where
// each of them was, [batch, length], the kept tokens' places first.
#include <array>
#include <limits>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

std::string Integers(ContribNode& node, const std::string& x) {
  return node.Emit("Cast", {x}, {{"to", int64_t{onnx::TensorProto::INT64}}});
}

std::string Narrow(ContribNode& node, const std::string& x) {
  return node.Emit("Cast", {x}, {{"to", int64_t{onnx::TensorProto::INT32}}});
}

// [batch, length]: whether a place is one of the first `counts` of its row.
std::string Kept(ContribNode& node, const std::string& counts, const std::string& length) {
  return node.Emit("Less", {node.Places(length), node.Unsqueeze(counts, {1})});
}

// Places in the batch with padding of the tokens that `packed` lists.
std::string PlacesOf(ContribNode& node, const std::string& packed, const std::string& offsets) {
  const std::string all = Integers(node, node.Reshape(offsets, {-1}));
  return node.Emit("Slice", {all, node.IntsConstant({0}), node.SizeOf(packed, 0)});
}

// [tokens, width] as [batch, length, width], zeros where there was padding.
std::string Padded(ContribNode& node, const std::string& packed, const std::string& places,
                   const std::string& offsets) {
  const ContribNode::Attributes first = {{"axis", int64_t{0}}};
  const std::string rows = node.SizeOf(node.Reshape(offsets, {-1}), 0);
  const std::string shape = node.Emit("Concat", {rows, node.SizeOf(packed, 1)}, first);
  const std::string zeros = node.Emit("CastLike", {node.Emit("ConstantOfShape", {shape}), packed});
  const std::string flat = node.Emit("ScatterND", {zeros, node.Unsqueeze(places, {1}), packed});
  const std::string batch = node.Emit("Shape", {offsets});
  return node.Emit("Reshape", {flat, node.Emit("Concat", {batch, node.SizeOf(packed, 1)}, first)});
}

// x [batch, length, width], number of tokens of each sequence.
bool ExpandRemovePadding(ContribNode& node) {
  const std::string x = node.In(0), counts = Integers(node, node.In(1));
  const std::string kept = Kept(node, counts, node.SizeOf(x, 1)), flat = node.Reshape(kept, {-1});
  const std::string tokens = node.Reshape(node.Emit("NonZero", {flat}), {-1});
  const std::string rows = node.Emit("Flatten", {x}, {{"axis", int64_t{2}}});
  node.Give(0, node.Emit("Gather", {rows, tokens}));
  if (node.Wants(1)) {
    const std::string others = node.Reshape(node.Emit("NonZero", {node.Emit("Not", {flat})}), {-1});
    const std::string all = node.Emit("Concat", {tokens, others}, {{"axis", int64_t{0}}});
    node.Give(1, Narrow(node, node.Emit("Reshape", {all, node.Emit("Shape", {kept})})));
  }
  if (node.Wants(2)) {
    const std::string sums = node.Emit("CumSum", {counts, node.Reshape(node.IntsConstant({0}), {})});
    node.Give(2, Narrow(node, node.Emit("Concat", {node.IntsConstant({0}), sums}, {{"axis", int64_t{0}}})));
  }
  if (node.Wants(3)) node.Give(3, Narrow(node, node.ReduceMax(counts, {0}, true)));
  return true;
}

bool ExpandRestorePadding(ContribNode& node) {
  node.Give(0, Padded(node, node.In(0), PlacesOf(node, node.In(0), node.In(1)), node.In(1)));
  return true;
}

struct PackedHeads {
  std::string query, key, value;  // [tokens, heads * size]
  std::string offsets, sums;      // where the tokens were; how many there are before each sequence
  std::string bias;               // what is added to the scores, or ""
};

bool Attend(ContribNode& node, const PackedHeads& heads) {
  const std::string places = PlacesOf(node, heads.query, heads.offsets);
  const auto padded = [&](const std::string& x) { return Padded(node, x, places, heads.offsets); };
  const std::string query = padded(heads.query), key = padded(heads.key), value = padded(heads.value);
  const std::string sums = Integers(node, heads.sums), zero = node.IntsConstant({0});
  const std::string ends = node.Emit("Slice", {sums, node.IntsConstant({1}), node.IntsConstant({kEnd})});
  const std::string counts = node.Emit("Sub", {ends, node.Emit("Slice", {sums, zero, node.IntsConstant({-1})})});
  const std::string kept = node.Unsqueeze(Kept(node, counts, node.SizeOf(heads.offsets, 1)), {1, 2});
  const std::string hidden = node.FloatConstant(node.Float("mask_filter_value", -10000));
  std::string mask = node.Emit("CastLike", {node.Emit("Where", {kept, node.FloatConstant(0), hidden}), heads.query});
  if (!heads.bias.empty()) mask = node.Emit("Add", {heads.bias, mask});
  const int64_t count = node.Int("num_heads", 0);
  ContribNode::Attributes attributes = {{"q_num_heads", count}, {"kv_num_heads", count}};
  if (const float scale = node.Float("scale", 0); scale != 0) attributes.emplace_back("scale", scale);
  const std::string y = node.Emit("Attention", {query, key, value, mask}, attributes);
  node.Give(0, node.Emit("Gather", {node.Emit("Flatten", {y}, {{"axis", int64_t{2}}}), places}));
  return true;
}

// Tokens, weight [inputs, 3 * hidden], bias, where they were, their running counts, what is added to the scores?.
bool ExpandPackedAttention(ContribNode& node) {
  const std::vector<int64_t> sizes = node.Ints("qkv_hidden_sizes");
  if (node.Int("num_heads", 0) < 1 || (!sizes.empty() && sizes.size() != 3) || !node.Has(3) || !node.Has(4))
    return false;
  const std::string projected = node.AddIf(node.Emit("MatMul", {node.In(0), node.In(1)}), node.In(2));
  const auto parts = node.Split(projected, -1, 3, sizes);
  return Attend(node, {parts[0], parts[1], parts[2], node.In(3), node.In(4), node.In(5)});
}

// Query, key and value, or all three as [tokens, heads, 3, size]; bias?, and the last three of the above.
bool ExpandPackedMultiHead(ContribNode& node) {
  if (node.Int("num_heads", 0) < 1 || node.Has(1) != node.Has(2) || !node.Has(4) || !node.Has(5)) return false;
  ContribNode::Names parts = {node.In(0), node.In(1), node.In(2)};
  if (!node.Has(1)) {
    parts = node.Split(node.In(0), 2, 3);
    for (std::string& part : parts) part = node.Emit("Flatten", {part}, {{"axis", int64_t{1}}});
  }
  if (node.Has(3)) {
    const auto bias = node.Split(node.In(3), 0, 3);
    for (size_t i = 0; i < parts.size(); ++i) parts[i] = node.Emit("Add", {parts[i], bias[i]});
  }
  return Attend(node, {parts[0], parts[1], parts[2], node.In(4), node.In(5), node.In(6)});
}

}  // namespace

std::span<const ContribRule> PackedRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({{"PackedAttention", ExpandPackedAttention},
                                                             {"PackedMultiHeadAttention", ExpandPackedMultiHead},
                                                             {"RemovePadding", ExpandRemovePadding},
                                                             {"RestorePadding", ExpandRestorePadding}});
  return kRules;
}

}  // namespace tamis
