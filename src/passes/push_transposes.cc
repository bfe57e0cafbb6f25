// push_transposes: a Transpose moves behind the node that reads it, so that it meets another that it cancels with:
//
//   elementwise   every operand is transposed alike, or constant, or one number
//   Softmax, LogSoftmax, LayerNormalization along the last axis, Reduce* that keep their axes, Concat, Pad
//
// A node is passed only where no Transpose more is left than before: every transposed operand has this reader alone.
// Where nothing cancels in the end, the Transpose stands later and simplify_views sees it there.
#include <algorithm>

#include "src/ops/op_is_elementwise.h"
#include "src/passes/all_passes.h"
#include "src/passes/channels_last.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

using Perm = std::vector<int64_t>;

Perm Inverse(const Perm& perm) {
  Perm inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return inverse;
}

bool IsReduction(const Node& node) {
  return node.domain.empty() && node.op.rfind("Reduce", 0) == 0;
}

class TransposePusher {
 public:
  TransposePusher(Graph& graph, const PassOptions& options)
      : graph_(graph), rewriter_(graph, options), options_(options) {}

  void Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if ((!node.domain.empty() && !IsElementwise(node)) || node.outputs.size() != 1 || node.outputs[0] == kNoValue ||
        !node.regions.empty()) {
      return;
    }
    const Perm perm = SharedPerm(node);
    if (perm.empty() || RankOf(graph_, node.outputs[0]) != static_cast<int64_t>(perm.size())) return;
    if (IsElementwise(node)) return PassElementwise(id, perm);
    if (node.Is("Concat")) return PassConcat(id, perm);
    if (node.Is("Softmax") || node.Is("LogSoftmax")) return PassSoftmax(id, perm);
    if (node.Is("Pad")) return PassPad(id, perm);
    if (IsReduction(node)) return PassReduction(id, perm);
    if (node.Is("LayerNormalization") || node.Is("RMSNormalization")) return PassNorm(id, perm);
  }

 private:
  const Node* TransposeOf(ValueId value) const {
    const Node* transpose = Producer(graph_, value, "Transpose");
    return transpose != nullptr && rewriter_.SingleUse(value) ? transpose : nullptr;
  }

  // How the transposed operands are transposed; empty if none is, or not all alike.
  Perm SharedPerm(const Node& node) const {
    Perm perm;
    for (ValueId input : node.inputs) {
      const Node* transpose = TransposeOf(input);
      if (transpose == nullptr) continue;
      const Perm own = transpose->Ints("perm");
      if (own.empty() || (!perm.empty() && own != perm)) return {};
      perm = own;
    }
    return perm;
  }

  // `op` of `inputs` in the order before the Transpose, and the Transpose behind it.
  void Push(NodeId id, const Perm& perm, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes) {
    const std::string op = graph_.node(id).op, domain = graph_.node(id).domain, name = graph_.node(id).name;
    const ValueId output = graph_.node(id).outputs[0];
    const Type type = Type::Tensor(DTypeOf(graph_, output), Permuted(*ShapeOf(graph_, output), Inverse(perm)));
    options_.Matched(graph_, output, "Transpose behind " + op);
    const ValueId before = graph_.AddValue(rewriter_.FreeName(graph_.value(output).name + "_before"), type);
    rewriter_.Append(MakeNode(op, domain, std::move(inputs), {before}, std::move(attributes), name));
    rewriter_.Replace(id, MakeNode("Transpose", "", {before}, {output}, {{"perm", perm}}));
  }

  void PassElementwise(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    if ((node.Is("QuantizeLinear") || node.Is("DequantizeLinear")) && RankOf(graph_, node.input(1)) != 0) return;
    const auto rank = static_cast<int64_t>(perm.size());
    for (ValueId input : node.inputs) {  // all or nothing
      if (input == kNoValue) continue;
      if (TransposeOf(input) != nullptr) {
        if (!SameShape(graph_, input, node.outputs[0])) return;  // the broadcast result is more to transpose
        continue;
      }
      const Shape* shape = ShapeOf(graph_, input);
      if (shape == nullptr || static_cast<int64_t>(shape->size()) > rank) return;
      const bool single = std::all_of(shape->begin(), shape->end(), [](const Dim& d) { return d == Dim(1); });
      const bool movable = graph_.value(input).IsConstant() && BitSize(DTypeOf(graph_, input)) % 8 == 0;
      if (!single && !movable) return;
    }
    std::vector<ValueId> inputs;
    const auto attributes = node.attributes;
    for (ValueId input : std::vector<ValueId>(node.inputs)) {
      const Node* transpose = input == kNoValue ? nullptr : TransposeOf(input);
      if (transpose != nullptr) {
        inputs.push_back(transpose->input(0));
      } else if (input == kNoValue || ShapeOf(graph_, input)->empty() || !graph_.value(input).IsConstant() ||
                 graph_.value(input).constant->NumElements() == 1) {
        inputs.push_back(input);
      } else {
        const Tensor tensor = *graph_.value(input).constant;
        Dims dims = tensor.dims();
        dims.insert(dims.begin(), static_cast<size_t>(rank) - dims.size(), 1);
        inputs.push_back(rewriter_.AddConstant(graph_.value(input).name + "_turned",
                                               Transposed(tensor.Reshaped(dims), Inverse(perm))));
      }
    }
    Push(id, perm, std::move(inputs), attributes);
  }

  // The axis before the Transpose of an axis behind it.
  static int64_t AxisBefore(const Perm& perm, int64_t axis) {
    if (axis < 0) axis += static_cast<int64_t>(perm.size());
    return axis < 0 || axis >= static_cast<int64_t>(perm.size()) ? -1 : perm[static_cast<size_t>(axis)];
  }

  void PassConcat(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    const int64_t axis = AxisBefore(perm, node.Int("axis", 0));
    std::vector<ValueId> inputs;
    for (ValueId input : node.inputs) {
      const Node* transpose = TransposeOf(input);
      if (transpose == nullptr) return;
      inputs.push_back(transpose->input(0));
    }
    if (axis >= 0) Push(id, perm, std::move(inputs), {{"axis", axis}});
  }

  void PassSoftmax(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    const int64_t axis = AxisBefore(perm, node.Int("axis", -1));
    if (graph_.Opset() < 13 || axis < 0) return;  // older ones flatten their operand
    Push(id, perm, {TransposeOf(node.input(0))->input(0)}, {{"axis", axis}});
  }

  void PassPad(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    const auto pads = node.Has("pads") ? std::nullopt : KnownInts(graph_, node.input(1));
    const size_t rank = perm.size();
    if (!pads || node.input(3) != kNoValue || pads->size() != 2 * rank || TransposeOf(node.input(0)) == nullptr) return;
    std::vector<int64_t> moved(2 * rank);
    for (size_t i = 0; i < rank; ++i) {
      moved[static_cast<size_t>(perm[i])] = (*pads)[i];
      moved[static_cast<size_t>(perm[i]) + rank] = (*pads)[i + rank];
    }
    const auto attributes = node.attributes;
    const ValueId fill = node.input(2), x = TransposeOf(node.input(0))->input(0);
    std::vector<ValueId> inputs = {x, rewriter_.AddConstant(graph_.value(x).name + "_pads", Tensor::Int64s(moved))};
    if (fill != kNoValue) inputs.push_back(fill);
    Push(id, perm, std::move(inputs), attributes);
  }

  void PassReduction(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    const auto axes = ReduceAxes(graph_, node);
    if (!axes || axes->empty() || node.Int("keepdims", 1) != 1 || TransposeOf(node.input(0)) == nullptr) return;
    std::vector<int64_t> moved;
    for (int64_t axis : *axes) moved.push_back(AxisBefore(perm, axis));
    std::sort(moved.begin(), moved.end());
    auto attributes = node.attributes;
    std::vector<ValueId> inputs = {TransposeOf(node.input(0))->input(0)};
    if (node.input(1) != kNoValue) {
      inputs.push_back(rewriter_.AddConstant(graph_.value(inputs[0]).name + "_axes", Tensor::Int64s(moved)));
    } else if (node.Has("axes")) {
      attributes["axes"] = moved;
    }
    Push(id, perm, std::move(inputs), std::move(attributes));
  }

  // Only where the last axis stays the last.
  void PassNorm(NodeId id, const Perm& perm) {
    const Node& node = graph_.node(id);
    const auto rank = static_cast<int64_t>(perm.size());
    const int64_t axis = node.Int("axis", -1);
    if ((axis != -1 && axis != rank - 1) || perm.back() != rank - 1 || TransposeOf(node.input(0)) == nullptr) return;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue && RankOf(graph_, node.inputs[i]) != 1) return;
    }
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = TransposeOf(node.input(0))->input(0);
    Push(id, perm, std::move(inputs), node.attributes);
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status PushTransposes(Graph& graph, const PassOptions& options) {
  TransposePusher pusher(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed) pusher.Convert(id);
  }
  return {};
}

}  // namespace tamis
