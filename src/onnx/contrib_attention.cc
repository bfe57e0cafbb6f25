// onnxruntime's attention operators, as Attention of ONNX with the projections and masks that are in them.
#include <array>
#include <optional>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

// Where an attention has its operands; "" for those it has not.
struct Heads {
  std::string query, key, value;     // [batch, length, heads * size], or key and value [batch, heads, length, size]
  bool split = false;                // the latter
  std::string mask = {}, bias = {};  // the mask as onnxruntime gives it; what is added to the scores
  std::string past_key = {}, past_value = {};
};

// The masks that can be told by their rank: [batch] lengths, [batch, keys], [batch, queries, keys].
bool KnowsMask(const ContribNode& node, const std::string& mask) {
  if (mask.empty()) return true;
  const auto rank = node.Rank(mask);
  return rank && *rank >= 1 && *rank <= 3;
}

// What is added to the scores: 0 where the mask keeps a key, a large negative number where it hides one.
std::string Hidden(ContribNode& node, const Heads& heads) {
  std::string kept;
  const size_t rank = *node.Rank(heads.mask);
  if (rank == 1) {  // the first keys of each row
    const std::string place = node.Places(node.SizeOf(heads.key, 1));
    const std::string lengths = node.Emit("Cast", {heads.mask}, {{"to", int64_t{onnx::TensorProto::INT64}}});
    kept = node.Unsqueeze(node.Emit("Less", {place, node.Unsqueeze(lengths, {1})}), {1, 2});
  } else {
    kept = node.Emit("Cast", {heads.mask}, {{"to", int64_t{onnx::TensorProto::BOOL}}});
    kept = node.Unsqueeze(kept, rank == 2 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{1});
  }
  const std::string zero = node.FloatConstant(0), hidden = node.FloatConstant(node.Float("mask_filter_value", -10000));
  return node.Emit("CastLike", {node.Emit("Where", {kept, zero, hidden}), heads.query});
}

struct Attended {
  std::string y, key, value;  // the cache with what was appended
};

Attended Attend(ContribNode& node, const Heads& heads) {
  const int64_t count = node.Int("num_heads", 0);
  const bool causal = node.Int("unidirectional", 0) != 0;
  std::string mask = heads.bias;
  if (!heads.mask.empty()) {
    const std::string hidden = Hidden(node, heads);
    mask = mask.empty() ? hidden : node.Emit("Add", {mask, hidden});
  }
  ContribNode::Attributes attributes = {{"is_causal", int64_t{causal ? 1 : 0}}};
  // 0 asks for the default, one over the root of the head size.
  if (const float scale = node.Float("scale", 0); scale != 0) attributes.emplace_back("scale", scale);
  std::string query = heads.query;
  if (heads.split) {
    query = node.Transpose(node.Reshape(query, {0, 0, count, -1}), {0, 2, 1, 3});
  } else {
    attributes.emplace_back("q_num_heads", count);
    attributes.emplace_back("kv_num_heads", count);
  }
  const bool cached = !heads.past_key.empty() || node.Wants(1);
  const auto outputs = node.EmitMany(
      "Attention", {query, heads.key, heads.value, mask, heads.past_key, heads.past_value}, attributes, cached ? 3 : 1);
  std::string y = outputs[0];
  if (heads.split) y = node.Reshape(node.Transpose(y, {0, 2, 1, 3}), {0, 0, -1});
  return {y, cached ? outputs[1] : "", cached ? outputs[2] : ""};
}

// Key and value of a cache [2, batch, heads, length, size], and back.
std::string OfCache(ContribNode& node, const std::string& cache, int64_t which) {
  return cache.empty() ? "" : node.Emit("Gather", {cache, node.Reshape(node.IntsConstant({which}), {})});
}

void GiveCache(ContribNode& node, int output, const Attended& attended) {
  if (!node.Wants(output)) return;
  const ContribNode::Names both = {node.Unsqueeze(attended.key, {0}), node.Unsqueeze(attended.value, {0})};
  node.Give(output, node.Emit("Concat", both, {{"axis", int64_t{0}}}));
}

// Query, key and value of one product; mask and past of inputs that differ.
bool AttendProjected(ContribNode& node, const std::string& projected, int mask, int past, int bias) {
  const std::vector<int64_t> sizes = node.Ints("qkv_hidden_sizes");
  const auto parts = node.Split(projected, -1, 3, sizes);
  Heads heads = {parts[0], parts[1], parts[2]};
  heads.mask = node.In(mask);
  if (bias >= 0) heads.bias = node.In(bias);
  heads.past_key = OfCache(node, node.In(past), 0);
  heads.past_value = OfCache(node, node.In(past), 1);
  const Attended attended = Attend(node, heads);
  GiveCache(node, 1, attended);
  node.Give(0, attended.y);
  return true;
}

bool KnowsAttention(const ContribNode& node, int mask, int past) {
  const std::vector<int64_t> sizes = node.Ints("qkv_hidden_sizes");
  return node.Int("num_heads", 0) > 0 && node.Int("do_rotary", 0) == 0 && (sizes.empty() || sizes.size() == 3) &&
         node.Int("past_present_share_buffer", 0) == 0 && KnowsMask(node, node.In(mask)) &&
         !(node.Has(past) && node.Has(mask) && node.Rank(node.In(mask)) == 1);
}

// Input, weight [inputs, 3 * hidden], bias?, mask?, past?, what is added to the scores?, length of the past.
bool ExpandAttention(ContribNode& node) {
  if (!KnowsAttention(node, 3, 4) || node.Has(6)) return false;
  const std::string projected = node.AddIf(node.Emit("MatMul", {node.In(0), node.In(1)}), node.In(2));
  return AttendProjected(node, projected, 3, 4, 5);
}

// The same on codes: input, weight, bias, their scales, mask?, their zero points?, past?.
bool ExpandQuantizedAttention(ContribNode& node) {
  if (node.num_inputs() < 5 || !KnowsAttention(node, 5, 8)) return false;
  const std::string sums = node.Emit("MatMulInteger", {node.In(0), node.In(1), node.In(6), node.In(7)});
  const std::string wide = node.Emit("Cast", {sums}, {{"to", int64_t{onnx::TensorProto::FLOAT}}});
  const std::string scaled = node.Emit("Mul", {wide, node.Emit("Mul", {node.In(3), node.In(4)})});
  return AttendProjected(node, node.AddIf(scaled, node.In(2)), 5, 8, -1);
}

// Parts that lie beside one another within each head, [batch, length, heads, parts, size], as [batch, length, heads *
// size].
ContribNode::Names Unpacked(ContribNode& node, const std::string& packed, size_t parts) {
  ContribNode::Names result;
  for (const std::string& part : node.Split(packed, 3, parts)) result.push_back(node.Reshape(part, {0, 0, -1}));
  return result;
}

// Query, key and value of three operands, or of one or two that hold several; nullopt where it can't be told.
std::optional<Heads> ReadHeads(ContribNode& node) {
  const auto key_rank = node.Rank(node.In(1));
  if (!node.Has(1)) {
    if (node.Has(2)) return std::nullopt;
    const auto parts = Unpacked(node, node.In(0), 3);
    return Heads{parts[0], parts[1], parts[2]};
  }
  if (!node.Has(2)) {
    if (key_rank != 5) return std::nullopt;
    const auto parts = Unpacked(node, node.In(1), 2);
    return Heads{node.In(0), parts[0], parts[1]};
  }
  return Heads{node.In(0), node.In(1), node.In(2), key_rank == 4};
}

// Query, key?, value?, bias of all three?, mask?, what is added to the scores?, past key?, past value?.
bool ExpandMultiHead(ContribNode& node) {
  if (node.Int("num_heads", 0) < 1 || !KnowsMask(node, node.In(4)) || node.Wants(3)) return false;
  for (int i = 8; i < node.num_inputs(); ++i) {
    if (node.Has(i)) return false;
  }
  const bool split = node.Has(2) && node.Rank(node.In(1)) == 4;
  if (node.Has(4) && node.Rank(node.In(4)) == 1 && (split || node.Has(6))) return false;
  const auto read = ReadHeads(node);
  if (!read) return false;
  Heads heads = *read;
  if (node.Has(3)) {
    const auto bias = node.Split(node.In(3), 0, 3);
    heads.query = node.Emit("Add", {heads.query, bias[0]});
    if (!heads.split) {  // those of a cache hold theirs already
      heads.key = node.Emit("Add", {heads.key, bias[1]});
      heads.value = node.Emit("Add", {heads.value, bias[2]});
    }
  }
  heads.mask = node.In(4);
  heads.bias = node.In(5);
  heads.past_key = node.In(6);
  heads.past_value = node.In(7);
  const Attended attended = Attend(node, heads);
  if (!attended.key.empty()) {
    node.Give(1, attended.key);
    node.Give(2, attended.value);
  }
  node.Give(0, attended.y);
  return true;
}

// x, positions [batch, length] or the first one [1], cosines, sines.
bool ExpandRotary(ContribNode& node) {
  if (node.num_inputs() < 4 || node.Float("scale", 1) != 1 || node.Int("is_packed_batching", 0) != 0) return false;
  const auto rank = node.Rank(node.In(0)), positions_rank = node.Rank(node.In(1));
  ContribNode::Attributes attributes = {{"interleaved", node.Int("interleaved", 0)},
                                        {"rotary_embedding_dim", node.Int("rotary_embedding_dim", 0)}};
  std::string x = node.In(0), positions = node.In(1);
  const int64_t heads = node.Int("num_heads", 0);
  const onnx::TensorProto* cosines = node.Initializer(node.In(2));
  // Without a number of heads, one head is as wide as what the cosines turn.
  const bool apart = heads == 0 && rank == 3 && cosines != nullptr && cosines->dims_size() == 2;
  if (heads > 0) {
    attributes.emplace_back("num_heads", heads);
  } else if (rank != 4 && !apart) {
    return false;
  }
  if (positions_rank == 1) {
    positions = node.Emit("Add", {positions, node.Places(node.SizeOf(x, rank == 4 ? 2 : 1))});
    const std::string rows = node.Emit("Concat", {node.SizeOf(x, 0), node.IntsConstant({1})}, {{"axis", int64_t{0}}});
    positions = node.Emit("Expand", {node.Unsqueeze(positions, {0}), rows});
  }
  if (apart) x = node.Transpose(node.Reshape(x, {0, 0, -1, 2 * cosines->dims(1)}), {0, 2, 1, 3});
  std::string y = node.Emit("RotaryEmbedding", {x, node.In(2), node.In(3), positions}, attributes);
  if (apart) y = node.Reshape(node.Transpose(y, {0, 2, 1, 3}), {0, 0, -1});
  node.Give(0, y);
  return true;
}

}  // namespace

std::span<const ContribRule> AttentionRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({{"Attention", ExpandAttention},
                                                             {"MultiHeadAttention", ExpandMultiHead},
                                                             {"QAttention", ExpandQuantizedAttention},
                                                             {"RotaryEmbedding", ExpandRotary}});
  return kRules;
}

}  // namespace tamis
