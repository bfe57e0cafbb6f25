// GroupQueryAttention, the attention of language models as onnxruntime's generators export them: caches whose rows are
// filled up to a place of their own for each batch item, rotary embeddings, windows, soft caps and sinks.
#include <array>
#include <limits>

#include "src/onnx/contrib.h"
#include "src/onnx/contrib_node.h"

namespace tamis {
namespace {

enum Input : int {
  kQuery,
  kKey,
  kValue,
  kPastKey,
  kPastValue,
  kLast,   // int32[batch]: the place of the last token
  kTotal,  // int32: places of the whole batch
  kCosine,
  kSine,
  kPositions,
  kBias,
  kSink,
  kQueryNorm = 14,
  kKeyNorm
};
enum Output : int { kY, kPresentKey, kPresentValue, kScores };

constexpr int64_t kInt64 = onnx::TensorProto::INT64;

// Operands beyond those named are of quantised caches and of padded chunks.
bool IsKnown(const ContribNode& node) {
  const int64_t heads = node.Int("num_heads", 0), kv_heads = node.Int("kv_num_heads", 0);
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0 || !node.Has(kLast) || !node.Has(kTotal)) return false;
  if (node.Has(kKey) != node.Has(kValue) || node.Has(kPastKey) != node.Has(kPastValue)) return false;
  if (node.Has(kQueryNorm) != node.Has(kKeyNorm) || node.Wants(kScores)) return false;
  if (node.Int("do_rotary", 0) != 0 && !(node.Has(kCosine) && node.Has(kSine))) return false;
  for (int i = kSink + 1; i < node.num_inputs(); ++i) {
    if (node.Has(i) && i != kQueryNorm && i != kKeyNorm) return false;
  }
  const bool quantized = node.String("k_quant_type", "NONE") != "NONE" || node.String("v_quant_type", "NONE") != "NONE";
  if (quantized) return false;
  return node.Int("sliding_window_cache", 0) == 0 ||
         (node.Int("local_window_size", -1) > 0 && node.Int("causal", 1) != 0 && node.Has(kPastKey) &&
          !node.Has(kBias));
}

class GroupQuery {
 public:
  explicit GroupQuery(ContribNode& node)
      : node_(node),
        heads_(node.Int("num_heads", 0)),
        kv_heads_(node.Int("kv_num_heads", 0)),
        windowed_(node.Int("sliding_window_cache", 0) != 0) {}

  void Expand() {
    auto [query, key, value] = Operands();
    length_ = node_.SizeOf(query, 2);
    count_ = node_.Emit("Add", {node_.Emit("Cast", {node_.In(kLast)}, {{"to", kInt64}}), node_.IntsConstant({1})});
    // Every item's new rows end at its last place; a first prompt that is padded behind begins at 0 nevertheless.
    first_ = node_.Emit("Max", {node_.Emit("Sub", {count_, length_}), node_.IntsConstant({0})});
    held_ = windowed_ ? Resident(first_) : first_;
    if (windowed_) offset_ = node_.Emit("Sub", {first_, held_});
    places_ = node_.Emit("Add", {node_.Unsqueeze(first_, {1}), node_.Places(length_)});
    query = Turned(Normed(query, kQueryNorm, "q_norm_epsilon"));
    key = Turned(Normed(key, kKeyNorm, "k_norm_epsilon"));
    const std::string keys = Appended(key, kPastKey), values = Appended(value, kPastValue);
    const std::string y = Attend(query, keys, values);
    if (node_.Wants(kPresentKey)) node_.Give(kPresentKey, Kept(keys, kPastKey));
    if (node_.Wants(kPresentValue)) node_.Give(kPresentValue, Kept(values, kPastValue));
    node_.Give(kY, node_.Reshape(node_.Transpose(y, {0, 2, 1, 3}), {0, 0, -1}));
  }

 private:
  // [batch, heads, length, size] of [batch, length, heads * size].
  std::string Apart(const std::string& x, int64_t heads) {
    return node_.Transpose(node_.Reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3});
  }

  // Query, key and value, which may be one operand.
  std::array<std::string, 3> Operands() {
    if (node_.Has(kKey)) {
      return {Apart(node_.In(kQuery), heads_), Apart(node_.In(kKey), kv_heads_), Apart(node_.In(kValue), kv_heads_)};
    }
    const auto parts =
        node_.Split(Apart(node_.In(kQuery), heads_ + 2 * kv_heads_), 1, 3, {heads_, kv_heads_, kv_heads_});
    return {parts[0], parts[1], parts[2]};
  }

  // int64[3]
  std::string FirstThree(const std::string& x) {
    return node_.Emit("Slice", {node_.Emit("Shape", {x}), node_.IntsConstant({0}), node_.IntsConstant({3})});
  }

  std::string Normed(const std::string& x, int weight, const char* epsilon) {
    if (!node_.Has(weight)) return x;
    const float either = node_.Float("qk_norm_epsilon", 1e-6f);
    return node_.Emit("RMSNormalization", {x, node_.In(weight)},
                      {{"axis", int64_t{-1}}, {"epsilon", node_.Float(epsilon, either)}});
  }

  std::string Turned(const std::string& x) {
    if (node_.Int("do_rotary", 0) == 0) return x;
    const std::string cosine = node_.In(kCosine);
    const std::string positions = node_.Has(kPositions) ? node_.In(kPositions) : places_;
    ContribNode::Attributes attributes = {{"interleaved", node_.Int("rotary_interleaved", 0)}};
    const auto turn = [&](const std::string& part) {
      return node_.Emit("RotaryEmbedding", {part, cosine, node_.In(kSine), positions}, attributes);
    };
    // As many elements of a head are turned as two rows of cosines have.
    if (const onnx::TensorProto* table = node_.Initializer(cosine); table != nullptr && table->dims_size() == 2) {
      attributes.emplace_back("rotary_embedding_dim", 2 * table->dims(1));
      return turn(x);
    }
    const std::string width = node_.Emit("Mul", {node_.SizeOf(cosine, 1), node_.IntsConstant({2})});
    const std::string end = node_.IntsConstant({std::numeric_limits<int64_t>::max()}), axis = node_.IntsConstant({3});
    const std::string turned = turn(node_.Emit("Slice", {x, node_.IntsConstant({0}), width, axis}));
    return node_.Emit("Concat", {turned, node_.Emit("Slice", {x, width, end, axis})}, {{"axis", int64_t{3}}});
  }

  // A cache as long as the window, or somewhat longer, throws its oldest rows away in steps: rows that are resident
  // after `count` (int64[batch]) tokens.
  std::string Resident(const std::string& count) {
    const std::string capacity = node_.SizeOf(node_.In(kPastKey), 2), one = node_.IntsConstant({1});
    const std::string step =
        node_.Emit("Sub", {capacity, node_.IntsConstant({node_.Int("local_window_size", -1) - 1})});
    const std::string over = node_.Emit("Max", {node_.Emit("Sub", {count, capacity}), node_.IntsConstant({0})});
    const std::string filled_up = node_.Emit("Add", {over, node_.Emit("Sub", {step, one})});
    return node_.Emit("Sub", {count, node_.Emit("Mul", {node_.Emit("Div", {filled_up, step}), step})});
  }

  // The cache with the new rows behind those that it holds. It may be longer than these (a buffer), or is made so.
  std::string Appended(const std::string& rows, int past) {
    if (!node_.Has(past)) return rows;
    // Files leave the head size of their caches open; it is that of the rows.
    const std::string shape =
        node_.Emit("Concat", {FirstThree(node_.In(past)), node_.SizeOf(rows, 3)}, {{"axis", int64_t{0}}});
    const std::string cache = node_.Emit("Reshape", {node_.In(past), shape});
    std::string more = length_;
    if (!windowed_) {
      const std::string have = node_.SizeOf(node_.In(past), 2);
      const std::string total = node_.Reshape(node_.Emit("Cast", {node_.In(kTotal)}, {{"to", kInt64}}), {1});
      more = node_.Emit("Sub", {node_.Emit("Max", {have, total}), have});
    }
    const ContribNode::Names ends = {node_.IntsConstant({0, 0, 0, 0, 0, 0}), more, node_.IntsConstant({0})};
    const std::string pads = node_.Emit("Concat", ends, {{"axis", int64_t{0}}});
    return node_.Emit("TensorScatter", {node_.Emit("Pad", {cache, pads}), rows, held_}, {{"axis", int64_t{2}}});
  }

  // What goes on to the next step: all, or of a cache of a window the last rows.
  std::string Kept(const std::string& appended, int past) {
    if (!windowed_) return appended;
    const std::string capacity = node_.SizeOf(node_.In(past), 2), all = node_.SizeOf(appended, 2);
    const std::string dropped = node_.Emit("Sub", {node_.Emit("Sub", {count_, Resident(count_)}), offset_});
    const std::string rows = node_.Emit("Add", {node_.Unsqueeze(dropped, {1}), node_.Places(capacity)});
    const std::string within = node_.Emit("Min", {rows, node_.Emit("Sub", {all, node_.IntsConstant({1})})});
    const ContribNode::Names sizes = {node_.SizeOf(appended, 0), node_.SizeOf(appended, 1), capacity,
                                      node_.SizeOf(appended, 3)};
    const std::string shape = node_.Emit("Concat", sizes, {{"axis", int64_t{0}}});
    const std::string indices = node_.Emit("Expand", {node_.Unsqueeze(within, {1, 3}), shape});
    return node_.Emit("GatherElements", {appended, indices}, {{"axis", int64_t{2}}});
  }

  // bool[batch, 1, length, keys]: a query sees as many keys as the window has, its own the last.
  std::string Seen(const std::string& keys) {
    std::string place = node_.Places(node_.SizeOf(keys, 2));
    if (windowed_) place = node_.Unsqueeze(node_.Emit("Add", {node_.Unsqueeze(offset_, {1}), place}), {1, 2});
    if (node_.Int("causal", 1) == 0) {
      return node_.Unsqueeze(node_.Emit("Less", {place, node_.Unsqueeze(count_, {1})}), {1, 2});
    }
    const std::string own = node_.Unsqueeze(places_, {1, 3});
    const std::string before = node_.Emit("LessOrEqual", {place, own});
    const int64_t window = node_.Int("local_window_size", -1);
    if (window < 0) return before;
    const std::string behind = node_.Emit("Sub", {own, node_.IntsConstant({window})});
    return node_.Emit("And", {before, node_.Emit("Greater", {place, behind})});
  }

  // A key of zeros behind the others, whose score is its bias alone, is what the sink adds to the softmax.
  void AppendSink(std::string* key, std::string* value, std::string* mask) {
    const std::string column = node_.IntsConstant({0, 0, 0, 0, 0, 0, 1, 0});
    *key = node_.Emit("Pad", {*key, column});
    *value = node_.Emit("Pad", {*value, column});
    const std::string sink =
        node_.Has(kSink) ? node_.In(kSink) : node_.Emit("CastLike", {node_.FloatConstant(0), *key});
    const std::string heads = node_.Reshape(sink, {1, -1, 1, 1});
    // The mask has the batch and the queries, the sink may have the heads.
    const std::string shape = node_.Emit("Max", {FirstThree(*mask), FirstThree(heads)});
    const auto filled = [&](const std::string& x, const std::string& last) {
      return node_.Emit("Expand", {x, node_.Emit("Concat", {shape, last}, {{"axis", int64_t{0}}})});
    };
    *mask = node_.Emit("Concat", {filled(*mask, node_.SizeOf(*mask, 3)), filled(heads, node_.IntsConstant({1}))},
                       {{"axis", int64_t{3}}});
  }

  std::string Attend(const std::string& query, std::string key, std::string value) {
    std::string mask = Seen(key);
    const bool sink = node_.Has(kSink) || node_.Int("smooth_softmax", 0) != 0;
    if (sink || node_.Has(kBias)) {
      const std::string hidden = node_.FloatConstant(-std::numeric_limits<float>::infinity());
      mask = node_.Emit("CastLike", {node_.Emit("Where", {mask, node_.FloatConstant(0), hidden}), query});
      mask = node_.AddIf(mask, node_.In(kBias));
    }
    if (sink) AppendSink(&key, &value, &mask);
    ContribNode::Attributes attributes;
    if (const float scale = node_.Float("scale", 0); scale != 0) attributes.emplace_back("scale", scale);
    if (const float cap = node_.Float("softcap", 0); cap != 0) attributes.emplace_back("softcap", cap);
    return node_.Emit("Attention", {query, key, value, mask}, attributes);
  }

  ContribNode& node_;
  const int64_t heads_, kv_heads_;
  const bool windowed_;  // the cache holds the window only
  std::string length_;   // int64[1]: of the new rows
  std::string count_;    // int64[batch]: tokens with the new ones
  std::string first_;    // int64[batch]: the place of the first new one
  std::string places_;   // int64[batch, length]: those of all new ones
  std::string held_;     // int64[batch]: rows that the cache holds before
  std::string offset_;   // int64[batch]: the place of the first row of a cache of a window
};

bool ExpandGroupQuery(ContribNode& node) {
  if (!IsKnown(node)) return false;
  GroupQuery(node).Expand();
  return true;
}

}  // namespace

std::span<const ContribRule> GroupQueryRules() {
  static constexpr auto kRules = std::to_array<ContribRule>({{"GroupQueryAttention", ExpandGroupQuery}});
  return kRules;
}

}  // namespace tamis
