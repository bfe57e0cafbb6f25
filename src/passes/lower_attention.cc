// lower_attention: Attention of ai.onnx becomes the fused Attention of the tamis domain, whose kernels there are, where
// that computes the same: f32, without soft cap, windows, a partly filled cache, or the scores as an output. A cache
// that the operator appends to becomes two Concats.
#include <cmath>
#include <limits>
#include <utility>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kMask, kPastKey, kPastValue, kFilled };

class AttentionLowerer {
 public:
  explicit AttentionLowerer(Graph& graph) : graph_(graph), rewriter_(graph) {}

  void Convert(NodeId id) {
    const Node node = CopyOf(graph_.node(id));
    if (!node.Is("Attention") || !IsPlain(node)) return;
    const Shape q = *ShapeOf(graph_, node.input(kQuery));
    const Shape k = *ShapeOf(graph_, node.input(kKey));
    const bool packed = q.size() == 3;
    const auto heads = packed ? node.Int("q_num_heads", 0) : q[1].Constant();
    const auto kv_heads = packed ? node.Int("kv_num_heads", 0) : k[1].Constant();
    if (!heads || !kv_heads || *heads < 1 || *kv_heads < 1) return;
    const auto size = (packed ? Dim::FloorDiv(q[2], Dim(*heads)) : q[3]).Constant();
    if (!size || *size < 1) return;
    const ValueId past_key = node.input(kPastKey), past_value = node.input(kPastValue);
    const bool has_past = past_key != kNoValue;
    const Dim queries = q[packed ? 1 : 2];
    const Dim before = has_past ? (*ShapeOf(graph_, past_key))[2] : Dim(0);
    const Dim keys = before + k[packed ? 1 : 2];
    // A single query that follows everything before it sees all keys.
    const bool causal =
        node.Int("is_causal", 0) != 0 && !(has_past && queries == Dim(1) && k[packed ? 1 : 2] == Dim(1));
    if (causal && !before.IsConstant()) return;
    const ValueId mask = node.input(kMask);
    if (mask != kNoValue && !AlwaysBroadcasts(*ShapeOf(graph_, mask), {q[0], Dim(*heads), queries, keys})) return;

    std::vector<ValueId> inputs = {node.input(kQuery), node.input(kKey), node.input(kValue)};
    if (has_past) {
      inputs[1] = Appended(id, 1, past_key, node.input(kKey), *kv_heads);
      inputs[2] = Appended(id, 2, past_value, node.input(kValue), *kv_heads);
    }
    if (mask != kNoValue) inputs.push_back(AsAddend(mask));
    const double scale =
        node.Has("scale") ? static_cast<double>(node.Float("scale", 1)) : 1 / std::sqrt(static_cast<double>(*size));
    std::map<std::string, Attribute> attributes = {
        {"num_heads", *heads}, {"kv_heads", *kv_heads}, {"scale", static_cast<float>(scale)}};
    if (causal) {
      attributes["causal"] = int64_t{1};
      attributes["causal_offset"] = *before.Constant();
    }
    if (mask != kNoValue) attributes["zero_masked"] = int64_t{1};
    const std::string name = node.name;
    if (packed) {
      rewriter_.Replace(id, MakeNode("Attention", kTamisDomain, inputs, {node.outputs[0]}, attributes, name));
      return;
    }
    const ValueId rows = rewriter_.Append("Attention", kTamisDomain, inputs, attributes, name + "_rows");
    const ValueId apart = rewriter_.Append("Reshape", "", {rows, Ints({0, 0, *heads, -1})}, {}, name + "_heads");
    rewriter_.Replace(id, MakeNode("Transpose", "", {apart}, {node.outputs[0]}, {{"perm", kSwapped}}));
  }

 private:
  static inline const std::vector<int64_t> kSwapped = {0, 2, 1, 3};

  static Node CopyOf(const Node& node) {
    Node copy = MakeNode(node.op, node.domain, node.inputs, node.outputs, node.attributes, node.name);
    return copy;
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
    const auto shown = [&](size_t i) {
      return i < node.outputs.size() && node.outputs[i] != kNoValue && rewriter_.Uses(node.outputs[i]) > 0;
    };
    const bool present = shown(1) || shown(2);
    const int64_t precision = node.Int("softmax_precision", 1);
    return node.input(kFilled) == kNoValue && !shown(3) && (!present || node.input(kPastKey) != kNoValue) &&
           node.Float("softcap", 0) == 0 && node.Int("left_window_size", -1) < 0 &&
           node.Int("right_window_size", -1) < 0 && precision == 1;
  }

  ValueId Ints(const std::vector<int64_t>& values) { return rewriter_.AddConstant("heads", Tensor::Int64s(values)); }

  // The cache with `next` after it, [batch, heads, tokens, size]: what the node's output of that number was, if it has
  // that output.
  ValueId Appended(NodeId id, size_t output, ValueId past, ValueId next, int64_t heads) {
    const std::string name = output == 1 ? "present_key" : "present_value";
    if (ShapeOf(graph_, next)->size() == 3) {
      const ValueId apart = rewriter_.Append("Reshape", "", {next, Ints({0, 0, heads, -1})}, {}, name + "_heads");
      next = rewriter_.Append("Transpose", "", {apart}, {{"perm", kSwapped}}, name + "_next");
    }
    const std::map<std::string, Attribute> along = {{"axis", int64_t{2}}};
    std::vector<ValueId>& outputs = graph_.node(id).outputs;
    if (output >= outputs.size() || outputs[output] == kNoValue) {
      return rewriter_.Append("Concat", "", {past, next}, along, name);
    }
    const ValueId present = std::exchange(outputs[output], kNoValue);
    graph_.value(present).producer = kNoNode;
    rewriter_.Append(MakeNode("Concat", "", {past, next}, {present}, along));
    return present;
  }

  // What is added to the scores: 0 where a bool mask is true, else -infinity.
  ValueId AsAddend(ValueId mask) {
    if (DTypeOf(graph_, mask) == DType::kFloat32) return mask;
    const ValueId zero = rewriter_.AddConstant("shown", Tensor::Float(0));
    const ValueId hidden = rewriter_.AddConstant("hidden", Tensor::Float(-std::numeric_limits<float>::infinity()));
    return rewriter_.Append("Where", "", {mask, zero, hidden}, {}, graph_.value(mask).name + "_added");
  }

  Graph& graph_;
  Rewriter rewriter_;
};

}  // namespace

Status LowerAttention(Graph& graph, const PassOptions&) {
  AttentionLowerer lowerer(graph);
  for (NodeId id : graph.NodeIds()) lowerer.Convert(id);
  TAMIS_RETURN_IF_ERROR(graph.Sort());
  graph.Compact();
  return {};
}

}  // namespace tamis
