// push_codes: in a quantised graph, what only moves elements (Reshape, Transpose, Slice, MaxPool, Pad with zeros,
// Resize by the nearest element, ...) does so on codes: its DequantizeLinear goes behind it. There it meets the
// QuantizeLinear of the next operator: the pair is nothing if both map alike, and one table of codes otherwise
// (fuse_codes). Concat of values that map alike likewise; of others, where the result is quantised, QuantizeLinear goes
// in front.
//
// QuantizeLinear and DequantizeLinear between the two products of an attention and its softmax cost time and accuracy
// and hide the attention from recognize_attention, so there they are dropped. What a product's operands were rounded to
// stays with it as a permission: a kernel that multiplies codes may still round so.
#include <algorithm>
#include <array>
#include <cmath>

#include "src/ops/op_is_elementwise.h"
#include "src/passes/all_passes.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// What gives each element of its first operand another place, or none; other operands say only where.
bool MovesElements(const Node& node) {
  constexpr std::array<std::string_view, 11> kMovers = {"Reshape",   "Flatten",      "Transpose",   "Squeeze",
                                                        "Unsqueeze", "Slice",        "Gather",      "Expand",
                                                        "Tile",      "DepthToSpace", "SpaceToDepth"};
  return node.domain.empty() && std::find(kMovers.begin(), kMovers.end(), node.op) != kMovers.end();
}

class CodesPusher {
 public:
  CodesPusher(Graph& graph, const PassOptions& options) : graph_(graph), rewriter_(graph, options), options_(options) {}

  void UncoverAttention(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.Is("MatMul") || IsWeight(node.input(0)) || IsWeight(node.input(1))) return;
    const auto first = UncoverOperand(id, 0), second = UncoverOperand(id, 1);
    if (first && second) {
      auto& attributes = graph_.node(id).attributes;
      attributes[kRoundedScales] =
          std::vector<float>{static_cast<float>(first->scale), static_cast<float>(second->scale)};
      attributes[kRoundedZeros] = std::vector<int64_t>{first->zero, second->zero};
    }
    UncoverResult(graph_.node(id).outputs[0]);
  }

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (!node.domain.empty() || node.outputs.size() != 1 || node.outputs[0] == kNoValue) return;
    if (node.Is("QuantizeLinear")) return Cancel(id);
    if (node.Is("MaxPool")) {
      const NodeId pool = PassActivation(id);
      return Push(pool, graph_.node(pool).inputs);
    }
    if (MovesElements(node)) return Push(id, node.inputs);
    if (node.Is("Pad")) return PushPad(id);
    if (node.Is("Resize") && node.String("mode", "nearest") == "nearest") return Push(id, node.inputs);
    if (node.Is("Concat")) return PushConcat(id);
  }

 private:
  // Nodes move when others are added.
  Node Copy(NodeId id) const {
    const Node& node = graph_.node(id);
    return MakeNode(node.op, node.domain, node.inputs, node.outputs, node.attributes, node.name);
  }

  bool IsWeight(ValueId value) const {
    if (value == kNoValue || graph_.value(value).IsConstant()) return true;
    const Node* node = Producer(graph_, value, "DequantizeLinear");
    return node != nullptr && graph_.value(node->input(0)).IsConstant();
  }

  // The number that was quantised and dequantised to `value`, and how; nullopt if it wasn't.
  struct Rounded {
    ValueId number = kNoValue;
    Codes codes;
  };
  std::optional<Rounded> BeforeCodes(ValueId value) const {
    const auto codes = DequantizedCodes(graph_, value);
    const Node* quantize = codes ? Producer(graph_, codes->value, "QuantizeLinear") : nullptr;
    if (quantize == nullptr || !CodesOf(graph_, *quantize)) return std::nullopt;
    return Rounded{quantize->input(0), *codes};
  }

  // Scales the scores, or moves elements, on the way to a product.
  bool LeadsOn(const Node& node) const {
    if (MovesElements(node)) return true;
    return (node.Is("Mul") || node.Is("Div")) && MatchScalarOperand(graph_, node).has_value();
  }

  // The last codes that the operand was rounded to, as u8 ones and of the operand itself, whatever scales it behind
  // them.
  std::optional<Codes> UncoverOperand(NodeId reader, size_t index) {
    std::optional<Codes> last;
    double factor = 1;
    for (int depth = 0; depth < 8; ++depth) {
      const ValueId value = graph_.node(reader).input(index);
      const NodeId producer = graph_.value(value).producer;
      if (const auto rounded = BeforeCodes(value)) {
        if (!last) {
          last = rounded->codes;
          last->scale *= factor;
          last->zero += last->dtype == DType::kInt8 ? 128 : 0;
        }
        rewriter_.SetInput(reader, index, rounded->number);
        continue;
      }
      if (producer == kNoNode || !LeadsOn(graph_.node(producer)) || !rewriter_.SingleUse(value)) break;
      const Node& node = graph_.node(producer);
      const auto scalar = MatchScalarOperand(graph_, node);
      if (scalar) factor *= node.Is("Mul") ? scalar->constant : 1 / scalar->constant;
      reader = producer;
      index = scalar && node.input(0) != scalar->value ? 1 : 0;
    }
    return last && last->scale > 0 && std::isfinite(last->scale) ? last : std::nullopt;
  }

  void UncoverResult(ValueId value) {
    for (int depth = 0; depth < 8; ++depth) {
      const std::vector<NodeId> readers = rewriter_.Users(value);
      if (readers.size() != 1 || rewriter_.IsOutput(value)) return;
      const Node& reader = graph_.node(readers[0]);
      if (reader.Is("QuantizeLinear")) {
        if (!CodesOf(graph_, reader)) return;
        const ValueId codes = reader.outputs[0];
        bool uncovered = false;
        for (NodeId user : rewriter_.Users(codes)) {
          const Node& dequantize = graph_.node(user);
          if (!dequantize.Is("DequantizeLinear") || !CodesOf(graph_, dequantize) || FeedsProduct(dequantize)) continue;
          const ValueId numbers = dequantize.outputs[0];
          uncovered = rewriter_.ReplaceUses(numbers, value) || uncovered;
        }
        if (!uncovered) return;
        continue;
      }
      if (!(IsElementwise(reader) || MovesElements(reader)) || reader.Is("DequantizeLinear")) return;
      value = reader.outputs[0];
    }
  }

  // Whether an int8 product may read the codes behind this DequantizeLinear.
  bool FeedsProduct(const Node& dequantize) const {
    const std::vector<NodeId> users = rewriter_.Users(dequantize.outputs[0]);
    return std::any_of(users.begin(), users.end(), [&](NodeId user) {
      const Node& node = graph_.node(user);
      return (node.Is("MatMul") || node.Is("Gemm") || node.Is("Conv")) && IsWeight(node.input(1));
    });
  }

  void Cancel(NodeId id) {
    const auto y = CodesOf(graph_, graph_.node(id));
    const auto x = DequantizedCodes(graph_, graph_.node(id).input(0));
    if (!x || !y || !x->SameMapping(*y)) return;
    const ValueId output = graph_.node(id).outputs[0];
    options_.Matched(graph_, output, "codes kept");
    rewriter_.ReplaceUses(output, x->value);
  }

  // `op` of `inputs` on codes, which map as those of `x` do, and DequantizeLinear in its place.
  void Replace(NodeId id, std::vector<ValueId> inputs, NodeId dequantize) {
    const Node node = Copy(id);
    const ValueId output = node.outputs[0];
    const Node mapping = Copy(dequantize);
    options_.Matched(graph_, output, node.op + " of codes");
    Type type = graph_.value(output).type;
    type.dtype = DTypeOf(graph_, mapping.input(0));
    const ValueId codes =
        rewriter_.Append(node.op, "", std::move(inputs), node.attributes, graph_.value(output).name + "_codes", type);
    std::vector<ValueId> operands = mapping.inputs;
    operands[0] = codes;
    rewriter_.Replace(id, MakeNode("DequantizeLinear", "", operands, {output}, mapping.attributes));
  }

  void Push(NodeId id, std::vector<ValueId> inputs) {
    const auto x = DequantizedCodes(graph_, inputs[0]);
    if (!x || graph_.value(x->value).IsConstant()) return;
    const NodeId dequantize = graph_.value(inputs[0]).producer;
    inputs[0] = x->value;
    Replace(id, std::move(inputs), dequantize);
  }

  // The largest of what a function that never falls makes of numbers is what it makes of the largest: the pool of codes
  // goes in front of an activation between it and them. Returns where the pool is then.
  NodeId PassActivation(NodeId id) {
    const Node pool = Copy(id);
    const ValueId activated = pool.input(0);
    const NodeId producer = graph_.value(activated).producer;
    if (producer == kNoNode || !rewriter_.SingleUse(activated)) return id;
    if (!graph_.node(producer).Is("Relu") && !graph_.node(producer).Is("Clip")) return id;
    const Node activation = Copy(producer);
    if (!DequantizedCodes(graph_, activation.input(0))) return id;
    std::vector<ValueId> inputs = pool.inputs;
    inputs[0] = activation.input(0);
    const ValueId output = pool.outputs[0];
    const ValueId pooled = rewriter_.Append("MaxPool", "", std::move(inputs), pool.attributes,
                                            graph_.value(output).name + "_before", graph_.value(output).type);
    std::vector<ValueId> operands = activation.inputs;
    operands[0] = pooled;
    rewriter_.Replace(id, MakeNode(activation.op, "", std::move(operands), {output}, activation.attributes));
    return graph_.value(pooled).producer;
  }

  void PushPad(NodeId id) {
    const Node& node = graph_.node(id);
    const auto x = DequantizedCodes(graph_, node.input(0));
    std::vector<ValueId> inputs = node.inputs;
    if (!x || node.Has("pads") || inputs.size() < 2) return;
    if (node.String("mode", "constant") == "constant") {
      if (inputs.size() > 2 && inputs[2] != kNoValue && ScalarConstant(graph_, inputs[2]) != 0.0) return;
      Tensor fill(x->dtype, Dims{});
      fill.raw()[0] = static_cast<std::byte>(x->zero);
      inputs.resize(std::max<size_t>(inputs.size(), 3), kNoValue);
      inputs[2] = rewriter_.AddConstant(graph_.value(x->value).name + "_fill", std::move(fill));
    }
    Push(id, std::move(inputs));
  }

  void PushConcat(NodeId id) {
    const Node node = Copy(id);
    std::vector<ValueId> inputs;
    std::optional<Codes> shared;
    bool alike = true;
    for (ValueId input : node.inputs) {
      const auto x = DequantizedCodes(graph_, input);
      alike = alike && x && (!shared || shared->SameMapping(*x));
      if (!alike) break;
      shared = x;
      inputs.push_back(x->value);
    }
    if (alike) return Replace(id, std::move(inputs), graph_.value(node.input(0)).producer);
    if (!rewriter_.SingleUse(node.outputs[0])) return;
    const NodeId reader = rewriter_.Users(node.outputs[0])[0];
    const Node quantize = Copy(reader);
    const auto y = quantize.Is("QuantizeLinear") ? CodesOf(graph_, quantize) : std::nullopt;
    if (!y) return;
    inputs.clear();
    for (ValueId input : node.inputs) {
      const auto x = DequantizedCodes(graph_, input);
      if (x && x->SameMapping(*y)) {
        inputs.push_back(x->value);
        continue;
      }
      std::vector<ValueId> operands = quantize.inputs;
      operands[0] = input;
      Type type = graph_.value(input).type;
      type.dtype = y->dtype;
      inputs.push_back(rewriter_.Append("QuantizeLinear", "", std::move(operands), quantize.attributes,
                                        graph_.value(input).name + "_codes", type));
    }
    options_.Matched(graph_, quantize.outputs[0], "Concat of codes");
    rewriter_.Replace(reader, MakeNode("Concat", "", std::move(inputs), quantize.outputs, node.attributes, node.name));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status PushCodes(Graph& graph, const PassOptions& options) {
  CodesPusher pusher(graph, options);
  const std::vector<NodeId> ids = graph.NodeIds();
  for (NodeId id : ids) {
    if (!graph.node(id).removed) pusher.UncoverAttention(id);
  }
  for (NodeId id : ids) {
    if (!graph.node(id).removed) pusher.Convert(id);
  }
  return {};
}

}  // namespace tamis
