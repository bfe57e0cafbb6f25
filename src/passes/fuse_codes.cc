// fuse_codes: what stands in front of a QuantizeLinear works on codes:
//
//   any elementwise function of one quantised value   QuantizedLookup: a table of 256 codes, computed here. Through
//                                                     QuantizeLinear and DequantizeLinear as well, so that
//                                                     x * sigmoid(x) is one table however it was quantised
//   Add or Mul of two values, one at least quantised, and an activation   QuantizedBinary
//
// and GlobalAveragePool, or ReduceMean over the pixels, of a quantised value is QuantizedGlobalAveragePool.
#include <algorithm>
#include <map>

#include "src/ops/op_def.h"
#include "src/ops/op_is_elementwise.h"
#include "src/passes/all_passes.h"
#include "src/passes/channels_last.h"
#include "src/passes/codes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

using Attributes = std::map<std::string, Attribute>;

constexpr size_t kMostNodes = 64;

// The elementwise nodes between one value of codes and another value.
class Cone {
 public:
  explicit Cone(const Graph& graph) : graph_(graph) {}

  bool Collect(ValueId value) {
    if (value == kNoValue) return true;
    if (std::find(seen_.begin(), seen_.end(), value) != seen_.end()) return true;
    seen_.push_back(value);
    if (graph_.value(value).IsConstant()) return graph_.value(value).constant->NumElements() == 1;
    const NodeId id = graph_.value(value).producer;
    const bool lookup = id != kNoNode && graph_.node(id).IsTamis("QuantizedLookup");
    if (Is8Bit(DTypeOf(graph_, value)) && !lookup) {
      if (leaf_ != kNoValue && leaf_ != value) return false;
      leaf_ = value;
      return true;
    }
    if (id == kNoNode || nodes_.size() >= kMostNodes) return false;
    const Node& node = graph_.node(id);
    if ((!lookup && !IsElementwise(node)) || node.outputs.size() != 1) return false;
    if (node.Is("DequantizeLinear") && node.Int("block_size", 0) != 0) return false;
    if (!std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) { return Collect(input); })) {
      return false;
    }
    nodes_.push_back(id);  // after what it reads
    return true;
  }

  // kNoValue if the value depends on none.
  ValueId leaf() const { return leaf_; }

  // The results of node `last`, which reads what was collected, for all 256 codes of the leaf.
  Result<Tensor> Evaluate(NodeId last) const {
    std::map<ValueId, Tensor> values;
    Tensor codes(DTypeOf(graph_, leaf_), {256});
    for (int i = 0; i < 256; ++i) codes.raw()[i] = static_cast<std::byte>(i);
    values[leaf_] = std::move(codes);
    std::vector<NodeId> nodes = nodes_;
    nodes.push_back(last);
    for (NodeId id : nodes) {
      const Node& node = graph_.node(id);
      std::vector<Tensor> operands;
      for (ValueId input : node.inputs) {
        if (input == kNoValue) {
          operands.emplace_back();
        } else if (graph_.value(input).IsConstant()) {
          operands.push_back(graph_.value(input).constant->Reshaped({}));
        } else {
          operands.push_back(values.at(input));
        }
      }
      std::vector<const Tensor*> pointers;
      for (const Tensor& operand : operands) pointers.push_back(operand.Defined() ? &operand : nullptr);
      const std::vector<DType> dtypes = {DTypeOf(graph_, node.outputs[0])};
      TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateNode(node, graph_.Opset(node.domain), pointers, dtypes));
      values[node.outputs[0]] = std::move(results[0]);
    }
    return values.at(graph_.node(last).outputs[0]);
  }

 private:
  const Graph& graph_;
  std::vector<ValueId> seen_;
  std::vector<NodeId> nodes_;
  ValueId leaf_ = kNoValue;
};

class CodesFuser {
 public:
  CodesFuser(Graph& graph, const PassOptions& options) : graph_(graph), rewriter_(graph, options), options_(options) {}

  Status Convert(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.Is("QuantizeLinear")) {
      if (!CodesOf(graph_, node)) return {};
      TAMIS_ASSIGN_OR_RETURN(const bool done, MakeLookup(id));
      if (!done) MakeBinary(id);
    } else if (node.Is("GlobalAveragePool") || node.Is("ReduceMean")) {
      MakePool(id);
    }
    return {};
  }

 private:
  Result<bool> MakeLookup(NodeId id) {
    const Codes y = *CodesOf(graph_, graph_.node(id));
    Cone cone(graph_);
    if (!cone.Collect(graph_.node(id).input(0)) || cone.leaf() == kNoValue) return false;
    if (!SameShape(graph_, cone.leaf(), graph_.node(id).outputs[0])) return false;
    TAMIS_ASSIGN_OR_RETURN(const Tensor results, cone.Evaluate(id));
    if (results.NumElements() != 256) return false;
    const std::vector<int64_t> table = results.ToInt64s();
    Attributes attributes = {{"table", table}};
    SetCodes(y, &attributes);
    const ValueId output = graph_.node(id).outputs[0];
    options_.Matched(graph_, output, "table of codes");
    rewriter_.Replace(id, MakeNode("QuantizedLookup", kTamisDomain, {cone.leaf()}, {output}, std::move(attributes)));
    return true;
  }

  void MakeBinary(NodeId id) {
    const Codes y = *CodesOf(graph_, graph_.node(id));
    ValueId sum = graph_.node(id).input(0);
    Attributes attributes;
    if (!rewriter_.SingleUse(sum) || graph_.value(sum).producer == kNoNode) return;
    if (const auto activation = ActivationOf(graph_, graph_.node(graph_.value(sum).producer))) {
      attributes = *activation;
      sum = graph_.node(graph_.value(sum).producer).input(0);
      if (!rewriter_.SingleUse(sum) || graph_.value(sum).producer == kNoNode) return;
    }
    const Node& node = graph_.node(graph_.value(sum).producer);
    if (!node.Is("Add") && !node.Is("Mul")) return;
    std::vector<ValueId> inputs;
    for (const bool left : {true, false}) {
      const ValueId operand = node.input(left ? 0 : 1);
      const std::string name = left ? "a" : "b";
      if (const auto codes = DequantizedCodes(graph_, operand)) {
        attributes[name + "_scale"] = static_cast<float>(codes->scale);
        attributes[name + "_zero_point"] = codes->zero;
        inputs.push_back(codes->value);
      } else if (DTypeOf(graph_, operand) == DType::kFloat32) {
        inputs.push_back(operand);
      }
    }
    if (inputs.size() != 2 || (!attributes.count("a_scale") && !attributes.count("b_scale"))) return;
    attributes["function"] = node.op;
    SetCodes(y, &attributes);
    const ValueId output = graph_.node(id).outputs[0];
    options_.Matched(graph_, output, "int8 " + node.op);
    rewriter_.Replace(id, MakeNode("QuantizedBinary", kTamisDomain, std::move(inputs), {output}, attributes));
  }

  void MakePool(NodeId id) {
    const Node& node = graph_.node(id);
    const auto x = DequantizedCodes(graph_, node.input(0));
    const int64_t rank = RankOf(graph_, node.input(0));
    if (!x || rank < 3 || ShapeOf(graph_, node.outputs[0]) == nullptr) return;
    if (node.Is("ReduceMean")) {
      const auto axes = ReduceAxes(graph_, node);
      std::vector<int64_t> spatial;
      for (int64_t axis = 2; axis < rank; ++axis) spatial.push_back(axis);
      if (axes != spatial) return;
    }
    ValueId output = node.outputs[0];
    const Shape last = Permuted(*ShapeOf(graph_, node.input(0)), ToChannelsLast(rank));
    Shape pooled(static_cast<size_t>(rank), Dim(1));
    pooled.front() = last.front();
    pooled.back() = last.back();
    Attributes attributes = {{"x_scale", static_cast<float>(x->scale)}, {"x_zero_point", x->zero}};
    DType dtype = DType::kFloat32;
    if (rewriter_.SingleUse(output)) {
      const Node& reader = graph_.node(rewriter_.Users(output)[0]);
      if (const auto y = reader.Is("QuantizeLinear") ? CodesOf(graph_, reader) : std::nullopt) {
        SetCodes(*y, &attributes);
        dtype = y->dtype;
        output = reader.outputs[0];
      }
    }
    const auto target = ReshapeTarget(pooled, *ShapeOf(graph_, output));
    if (!target) return;
    const std::string name = graph_.value(output).name;
    const ValueId turned =
        rewriter_.Append("Transpose", "", {x->value}, {{"perm", ToChannelsLast(rank)}},
                         graph_.value(x->value).name + std::string(kChannelsLastSuffix), Type::Tensor(x->dtype, last));
    const ValueId y = rewriter_.Append("QuantizedGlobalAveragePool", kTamisDomain, {turned}, attributes,
                                       name + "_pooled", Type::Tensor(dtype, pooled));
    const ValueId shape = rewriter_.AddConstant(name + "_shape", Tensor::Int64s(*target));
    options_.Matched(graph_, output, "int8 global average");
    const NodeId slot = graph_.value(output).producer;
    rewriter_.Replace(slot, MakeNode("Reshape", "", {y, shape}, {output}));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status FuseCodes(Graph& graph, const PassOptions& options) {
  CodesFuser fuser(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (!graph.node(id).removed && graph.node(id).domain.empty()) TAMIS_RETURN_IF_ERROR(fuser.Convert(id));
  }
  return {};
}

}  // namespace tamis
