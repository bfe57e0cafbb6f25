// lower_attention: Attention of ai.onnx becomes the fused Attention of the tamis domain, whose kernels there are: soft
// caps, windows and causality as its attributes; a cache that the operator appends to as two Concats; how far a cache
// is filled (nonpad_kv_seqlen) as a mask computed from places. Where the scores are an output too, it becomes its
// parts: products, a softmax and what stands between. f32 only; a softmax of another precision stays what it is.
#include <cmath>
#include <limits>
#include <utility>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kMask, kPastKey, kPastValue, kFilled };
enum Output : size_t { kY, kPresentKey, kPresentValue, kScores };
enum class ScoresMode : int64_t { kRaw, kCapped, kBiased, kSoftmax };

// What the node says, with everything that its lowering needs known.
struct Given {
  int64_t heads = 0, kv_heads = 0;
  bool packed = false;
  Dim batch, queries, before, keys;
  // How far before and behind its own place a query sees, if there are bounds.
  std::optional<int64_t> left, right;
  double scale = 1;
};

class AttentionLowerer {
 public:
  AttentionLowerer(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Convert(NodeId id) {
    if (!graph_.node(id).Is("Attention")) return;
    const Node& found = graph_.node(id);
    const Node node = MakeNode(found.op, found.domain, found.inputs, found.outputs, found.attributes, found.name);
    const auto missed = [&](std::string_view reason) {
      options_.Missed(graph_, node.outputs[kY], "Attention of ai.onnx", reason);
    };
    if (!IsPlain(node)) return missed("dtypes or shapes that the fused operator lacks");
    const auto given = Read(node);
    if (!given) return missed("the number or size of heads isn't known");
    ValueId mask = node.input(kMask);
    const Shape scores = {given->batch, Dim(given->heads), given->queries, given->keys};
    const bool shorter = mask != kNoValue && !AlwaysBroadcasts(*ShapeOf(graph_, mask), scores);
    if (shorter) {  // or nothing says that it is as long
      Shape filled_up = *ShapeOf(graph_, mask);
      filled_up.back() = given->keys;
      if (!AlwaysBroadcasts(filled_up, scores)) return missed("the mask may not fit the scores");
    }
    const bool filled = node.input(kFilled) != kNoValue, shown = Shown(node, kScores);
    // The offset of a query's place, from the first key or counted from the last one.
    const Dim to_end = given->before - (given->keys - given->queries);
    const bool bounded = given->left || given->right;
    const bool placed = given->before.IsConstant() || to_end.IsConstant();
    if (shown && !graph_.value(node.outputs[kY]).type.has_rank) return missed("its shape isn't known");

    std::vector<ValueId> inputs = {node.input(kQuery), Keys(id, kPresentKey, *given), Keys(id, kPresentValue, *given)};
    const int64_t mask_rank = RankOf(graph_, mask);
    if (mask != kNoValue) mask = AsAddend(mask);
    if (shorter) mask = FilledUp(mask, mask_rank, inputs[1], *given);
    const bool places = filled || (bounded && (shown || !placed));
    if (places) mask = WithPlaces(node, inputs[1], *given, mask);
    if (shown) {
      options_.Matched(graph_, node.outputs[kY], "Attention whose scores are shown");
      return Decompose(id, node, *given, inputs, mask);
    }
    options_.Matched(graph_, node.outputs[kY], "Attention of ai.onnx");
    if (mask != kNoValue) inputs.push_back(mask);
    std::map<std::string, Attribute> attributes = {
        {"num_heads", given->heads}, {"kv_heads", given->kv_heads}, {"scale", static_cast<float>(given->scale)}};
    if (node.Float("softcap", 0) > 0) attributes["softcap"] = node.Float("softcap", 0);
    if (bounded && !places) {
      const bool from_end = !given->before.IsConstant();
      const int64_t place = *(from_end ? to_end : given->before).Constant();
      if (from_end) attributes["from_end"] = int64_t{1};
      if (given->right) {
        attributes["causal"] = int64_t{1};
        attributes["causal_offset"] = place + *given->right;
      }
      if (given->left) {
        attributes["windowed"] = int64_t{1};
        attributes["window_offset"] = place - *given->left;
      }
      if (from_end || given->left) attributes["zero_masked"] = int64_t{1};
    }
    if (mask != kNoValue) attributes["zero_masked"] = int64_t{1};
    const ValueId y = node.outputs[kY];
    if (given->packed) {
      rewriter_.Replace(id, MakeNode("Attention", kTamisDomain, inputs, {y}, attributes, node.name));
      return;
    }
    const ValueId rows = rewriter_.Append("Attention", kTamisDomain, inputs, attributes, node.name + "_rows");
    rewriter_.Replace(id, MakeNode("Transpose", "", {Apart(rows, given->heads)}, {y}, {{"perm", kSwapped}}));
  }

 private:
  static inline const std::vector<int64_t> kSwapped = {0, 2, 1, 3};

  bool Shown(const Node& node, size_t output) const {
    return output < node.outputs.size() && node.outputs[output] != kNoValue &&
           (rewriter_.Uses(node.outputs[output]) > 0 || rewriter_.IsOutput(node.outputs[output]));
  }

  bool IsPlain(const Node& node) const {
    for (const size_t i : {kQuery, kKey, kValue, kPastKey, kPastValue}) {
      const ValueId value = node.input(i);
      if (value == kNoValue && i >= kPastKey) continue;
      if (DTypeOf(graph_, value) != DType::kFloat32 || ShapeOf(graph_, value) == nullptr) return false;
    }
    if (node.input(kMask) != kNoValue) {
      const DType mask = DTypeOf(graph_, node.input(kMask));
      if ((mask != DType::kBool && mask != DType::kFloat32) || ShapeOf(graph_, node.input(kMask)) == nullptr)
        return false;
    }
    return node.Int("softmax_precision", 1) == 1;
  }

  std::optional<Given> Read(const Node& node) const {
    const Shape &q = *ShapeOf(graph_, node.input(kQuery)), &k = *ShapeOf(graph_, node.input(kKey));
    Given given;
    given.packed = q.size() == 3;
    const auto heads = given.packed ? node.Int("q_num_heads", 0) : q[1].Constant();
    const auto kv_heads = given.packed ? node.Int("kv_num_heads", 0) : k[1].Constant();
    if (!heads || !kv_heads || *heads < 1 || *kv_heads < 1) return std::nullopt;
    const auto size = (given.packed ? Dim::FloorDiv(q[2], Dim(*heads)) : q[3]).Constant();
    if (!size || *size < 1) return std::nullopt;
    given.heads = *heads;
    given.kv_heads = *kv_heads;
    const bool past = node.input(kPastKey) != kNoValue;
    const Dim present = k[given.packed ? 1 : 2];
    given.batch = q[0];
    given.queries = q[given.packed ? 1 : 2];
    given.before = past ? (*ShapeOf(graph_, node.input(kPastKey)))[2] : Dim(0);
    given.keys = given.before + present;
    given.scale =
        node.Has("scale") ? static_cast<double>(node.Float("scale", 1)) : 1 / std::sqrt(static_cast<double>(*size));
    constexpr int64_t kBeyondAll = int64_t{1} << 40;
    if (const int64_t left = node.Int("left_window_size", -1); left >= 0) given.left = std::min(left, kBeyondAll);
    if (const int64_t right = node.Int("right_window_size", -1); right >= 0) given.right = std::min(right, kBeyondAll);
    // A single query that follows everything before it sees all keys.
    const bool last = past && given.queries == Dim(1) && present == Dim(1);
    if (node.Int("is_causal", 0) != 0) given.right = 0;
    if (last) given.right.reset();
    return given;
  }

  ValueId Ints(const std::vector<int64_t>& values) { return rewriter_.AddConstant("heads", Tensor::Int64s(values)); }
  ValueId Index(int64_t value) {
    return rewriter_.AddConstant("index", Tensor::Int64s(std::vector<int64_t>{value}).Reshaped({}));
  }
  ValueId Append(const std::string& op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes = {}) {
    return rewriter_.Append(op, "", std::move(inputs), std::move(attributes), "attention_" + op);
  }
  ValueId Apart(ValueId rows, int64_t heads) { return Append("Reshape", {rows, Ints({0, 0, heads, -1})}); }
  // Rows [B, S, H * D] as [B, H, S, D]; that as it is.
  ValueId HeadsFirst(ValueId value, bool packed, int64_t heads) {
    return packed ? Append("Transpose", {Apart(value, heads)}, {{"perm", kSwapped}}) : value;
  }

  // The keys (or values) that the queries see, made as the output of that number if somebody reads it: with a cache
  // before them, [batch, heads, tokens, size].
  ValueId Keys(NodeId id, size_t output, const Given& given) {
    const Node& node = graph_.node(id);
    const ValueId past = node.input(output == kPresentKey ? kPastKey : kPastValue);
    const ValueId next = node.input(output == kPresentKey ? kKey : kValue);
    const bool shown = Shown(node, output);
    if (past == kNoValue && !shown) return next;
    const ValueId first = HeadsFirst(next, given.packed, given.kv_heads);
    const std::vector<ValueId> parts = past == kNoValue ? std::vector{first} : std::vector{past, first};
    const std::string op = past == kNoValue ? "Identity" : "Concat";
    std::map<std::string, Attribute> attributes;
    if (past != kNoValue) attributes["axis"] = int64_t{2};
    if (!shown) return Append(op, parts, attributes);
    const ValueId present = std::exchange(graph_.node(id).outputs[output], kNoValue);
    graph_.value(present).producer = kNoNode;
    rewriter_.Append(MakeNode(op, "", parts, {present}, attributes));
    return past == kNoValue ? next : present;
  }

  // What is added to the scores: 0 where a bool mask is true, else -infinity.
  ValueId AsAddend(ValueId mask) {
    if (DTypeOf(graph_, mask) == DType::kFloat32) return mask;
    const ValueId zero = rewriter_.AddConstant("shown", Tensor::Float(0));
    const ValueId hidden = rewriter_.AddConstant("hidden", Tensor::Float(-std::numeric_limits<float>::infinity()));
    return Append("Where", {mask, zero, hidden});
  }

  ValueId Count(ValueId of, int64_t axis) { return Append("Gather", {Append("Shape", {of}), Index(axis)}); }

  // The mask with as many columns as there are keys: those that it lacks hide theirs.
  ValueId FilledUp(ValueId mask, int64_t rank, ValueId keys, const Given& given) {
    const bool rows = given.packed && RankOf(graph_, keys) == 3;  // of no cache
    const ValueId lacking = Append("Sub", {Count(keys, rows ? 1 : 2), Count(mask, rank - 1)});
    const ValueId none = Ints(std::vector<int64_t>(static_cast<size_t>(2 * rank - 1), 0));
    const ValueId pads = Append("Concat", {none, Append("Unsqueeze", {lacking, Ints({0})})}, {{"axis", int64_t{0}}});
    const ValueId hidden = rewriter_.AddConstant("hidden", Tensor::Float(-std::numeric_limits<float>::infinity()));
    return Append("Pad", {mask, pads, hidden});
  }

  // The mask (kNoValue: none), and what the places of keys and queries hide.
  ValueId WithPlaces(const Node& node, ValueId keys, const Given& given, ValueId mask) {
    const auto range = [&](ValueId length, const std::vector<int64_t>& axes) {
      return Append("Unsqueeze", {Append("Range", {Index(0), length, Index(1)}), Ints(axes)});
    };
    const bool keys_packed = RankOf(graph_, keys) == 3;
    const ValueId queries = Count(node.input(kQuery), given.packed ? 1 : 2);
    const ValueId key_places = range(Count(keys, keys_packed ? 1 : 2), {0, 1, 2});
    ValueId places = range(queries, {0, 1, 3}), seen = kNoValue;
    const auto also = [&](ValueId condition) {
      seen = seen == kNoValue ? condition : Append("And", {seen, condition});
    };
    if (node.input(kFilled) != kNoValue) {
      const ValueId filled = Append("Unsqueeze", {node.input(kFilled), Ints({1, 2, 3})});
      also(Append("Less", {key_places, filled}));
      places = Append("Add", {places, Append("Sub", {filled, queries})});
    } else if (node.input(kPastKey) != kNoValue) {
      places = Append("Add", {places, Count(node.input(kPastKey), 2)});
    }
    if (given.right) also(Append("LessOrEqual", {key_places, Append("Add", {places, Index(*given.right)})}));
    if (given.left) also(Append("GreaterOrEqual", {key_places, Append("Sub", {places, Index(*given.left)})}));
    const ValueId zero = rewriter_.AddConstant("shown", Tensor::Float(0));
    const ValueId hidden = rewriter_.AddConstant("hidden", Tensor::Float(-std::numeric_limits<float>::infinity()));
    return Append("Where", {seen, mask != kNoValue ? mask : zero, hidden});
  }

  // The operator's definition in others of ai.onnx, the scores at the asked-for stage as its fourth output.
  void Decompose(NodeId id, const Node& node, const Given& given, const std::vector<ValueId>& inputs, ValueId mask) {
    const auto scalar = [&](double x) { return rewriter_.AddConstant("factor", Tensor::Float(static_cast<float>(x))); };
    const auto operand = [&](ValueId value, int64_t heads) {
      return HeadsFirst(value, ShapeOf(graph_, value)->size() == 3, heads);
    };
    const ValueId q = Append("Mul", {operand(node.input(kQuery), given.heads), scalar(given.scale)});
    ValueId k = operand(inputs[1], given.kv_heads), v = operand(inputs[2], given.kv_heads);
    if (const int64_t shared = given.heads / given.kv_heads; shared > 1) {  // each head once for all that share it
      for (ValueId* value : {&k, &v}) {
        const ValueId all = Append("Expand", {Append("Unsqueeze", {*value, Ints({2})}), Ints({1, 1, shared, 1, 1})});
        // [B, heads, ., size] from the value's own dimensions: batch, tokens and size may all be symbols.
        const ValueId shape = Append("Shape", {*value});
        const auto part = [&](int64_t begin, int64_t end) {
          return Append("Slice", {shape, Ints({begin}), Ints({end}), Ints({0})});
        };
        const ValueId target = Append("Concat", {part(0, 1), Ints({given.heads}), part(2, 4)}, {{"axis", int64_t{0}}});
        *value = Append("Reshape", {all, target});
      }
    }
    const auto mode = static_cast<ScoresMode>(node.Int("qk_matmul_output_mode", 0));
    std::map<ScoresMode, ValueId> stages;
    const ValueId turned = Append("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
    ValueId scores = stages[ScoresMode::kRaw] = Append("MatMul", {q, turned});
    if (const double cap = static_cast<double>(node.Float("softcap", 0)); cap > 0) {
      scores = Append("Mul", {Append("Tanh", {Append("Mul", {scores, scalar(1 / cap)})}), scalar(cap)});
    }
    stages[ScoresMode::kCapped] = scores;
    if (mask != kNoValue) scores = Append("Add", {scores, mask});
    stages[ScoresMode::kBiased] = scores;
    ValueId weights = Append("Softmax", {scores}, {{"axis", int64_t{-1}}});
    if (mask != kNoValue) weights = Append("Where", {Append("IsNaN", {weights}), scalar(0), weights});
    stages[ScoresMode::kSoftmax] = weights;
    const ValueId shown = std::exchange(graph_.node(id).outputs[kScores], kNoValue);
    graph_.value(shown).producer = kNoNode;
    rewriter_.Append(MakeNode("Identity", "", {stages.at(mode)}, {shown}));
    const ValueId y = Append("MatMul", {weights, v});
    if (!given.packed) {
      rewriter_.Replace(id, MakeNode("Identity", "", {y}, {node.outputs[kY]}));
      return;
    }
    const ValueId rows = Append("Transpose", {y}, {{"perm", kSwapped}});
    rewriter_.Replace(id, MakeNode("Reshape", "", {rows, Ints({0, 0, -1})}, {node.outputs[kY]}));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status LowerAttention(Graph& graph, const PassOptions& options) {
  AttentionLowerer lowerer(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) lowerer.Convert(id);
  }
  return {};
}

}  // namespace tamis
