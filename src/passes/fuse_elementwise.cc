// fuse_elementwise: elementwise operators that no product took in, each read by the next alone, become one
// ElementwiseChain: a walk over memory instead of one for each. What is between them has the shape of the result; other
// operands broadcast to it. Numbers are steps' parameters. Nodes of the same inputs are taken once, as with x *
// sigmoid(x).
//
// The GPU has no such kernel, so with float16 nothing changes.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "src/ops/op_chain.h"
#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// An operator as a step: its operands among the node's inputs, and its parameters.
struct StepOf {
  ChainStep step;
  std::vector<size_t> operands;  // of node.inputs
};

std::optional<StepOf> UnaryStep(const Graph& graph, const Node& node) {
  const auto step = [&](ChainOp op, float alpha = 0, float beta = 0, float gamma = 0) {
    return StepOf{{op, 0, 0, alpha, beta, gamma}, {0}};
  };
  if (node.Is("Gelu")) {
    return step(node.String("approximate", "none") == "tanh" ? ChainOp::kGeluTanh : ChainOp::kGelu);
  }
  if (node.Is("Clip")) {
    const auto bounds = ClipBounds(graph, node);
    if (!bounds || !(bounds->first <= bounds->second)) return std::nullopt;
    return step(ChainOp::kClip, static_cast<float>(bounds->first), static_cast<float>(bounds->second));
  }
  if (node.Is("HardSigmoid")) {
    return step(ChainOp::kHardSigmoid, node.Float("alpha", 0.2f), node.Float("beta", 0.5f));
  }
  if (node.Is("LeakyRelu")) return step(ChainOp::kLeakyRelu, node.Float("alpha", 0.01f));
  if (node.Is("Elu")) return step(ChainOp::kElu, node.Float("alpha", 1), 1, 1);
  if (node.Is("Selu")) {
    const float gamma = node.Float("gamma", 1.05070102214813232421875f);
    return step(ChainOp::kElu, gamma * node.Float("alpha", 1.67326319217681884765625f), gamma, 1);
  }
  if (node.Is("Celu")) return step(ChainOp::kElu, node.Float("alpha", 1), 1, 1 / node.Float("alpha", 1));
  if (node.Is("Swish")) return step(ChainOp::kSwish, node.Float("alpha", 1));
  constexpr std::array kSameName = {ChainOp::kRelu,      ChainOp::kTanh, ChainOp::kSigmoid,  ChainOp::kHardSwish,
                                    ChainOp::kErf,       ChainOp::kExp,  ChainOp::kSqrt,     ChainOp::kNeg,
                                    ChainOp::kAbs,       ChainOp::kMish, ChainOp::kSoftplus, ChainOp::kSoftsign,
                                    ChainOp::kReciprocal};
  for (ChainOp op : kSameName) {
    if (node.Is(Name(op))) return step(op);
  }
  return std::nullopt;
}

// Add, Mul, ... with a number.
std::optional<StepOf> NumberStep(const Graph& graph, const Node& node) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (size_t i : {size_t{0}, size_t{1}}) {
    const auto constant = ScalarConstant(graph, node.input(1 - i));
    if (!constant || !SameShape(graph, node.input(i), node.outputs[0])) continue;
    const auto number = static_cast<float>(*constant);
    const auto step = [&](ChainOp op, float alpha, float beta) { return StepOf{{op, 0, 0, alpha, beta, 0}, {i}}; };
    if (node.Is("Add")) return step(ChainOp::kAffine, 1, number);
    if (node.Is("Sub")) return i == 0 ? step(ChainOp::kAffine, 1, -number) : step(ChainOp::kAffine, -1, number);
    if (node.Is("Mul")) return step(ChainOp::kAffine, number, 0);
    if (node.Is("Max")) return step(ChainOp::kClip, number, kInfinity);
    if (node.Is("Min")) return step(ChainOp::kClip, -kInfinity, number);
    int exponent = 0;  // quotients by powers of two are exact as products
    if (node.Is("Div") && i == 0 && std::abs(std::frexp(number, &exponent)) == 0.5f && std::abs(exponent) < 100) {
      return step(ChainOp::kAffine, 1 / number, 0);
    }
  }
  return std::nullopt;
}

std::optional<StepOf> MatchStep(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || ShapeOf(graph, node.outputs[0]) == nullptr) {
    return std::nullopt;
  }
  const auto walked = [&](ValueId value) {
    const DType dtype = DTypeOf(graph, value);
    return (dtype == DType::kFloat32 || dtype == DType::kBFloat16) && ShapeOf(graph, value) != nullptr;
  };
  if (!walked(node.outputs[0]) || node.inputs.empty() || !walked(node.input(0))) return std::nullopt;
  if (auto unary = UnaryStep(graph, node)) return unary;
  if (node.inputs.size() != 2 || !walked(node.input(1))) return std::nullopt;
  if (node.Is("Pow")) {
    return ScalarConstant(graph, node.input(1)) == 2.0 ? std::optional(StepOf{{ChainOp::kMul}, {0, 0}}) : std::nullopt;
  }
  const auto op = ChainOpFromName(node.op);
  if (!op || !IsBinary(*op)) return std::nullopt;
  if (auto number = NumberStep(graph, node)) return number;
  return StepOf{{*op}, {0, 1}};
}

class ChainFuser {
 public:
  ChainFuser(Graph& graph, const PassOptions& options) : graph_(graph), rewriter_(graph, options), options_(options) {}

  // Makes a chain that ends in this node, if there is one.
  void Fuse(NodeId root) {
    if (!MatchStep(graph_, graph_.node(root))) return;
    const ValueId output = graph_.node(root).outputs[0];
    const Shape& shape = *ShapeOf(graph_, output);
    std::set<NodeId> group = {root};
    while (GrowBy(&group, shape)) {
    }
    if (group.size() < 2) return;
    const std::vector<ValueId> inputs = Leaves(group);
    std::vector<ChainStep> steps;
    std::map<ValueId, int64_t> numbers;
    for (size_t i = 0; i < inputs.size(); ++i) numbers[inputs[i]] = static_cast<int64_t>(i);
    for (NodeId id : group) {  // in the order of the graph, which is sorted
      const Node& node = graph_.node(id);
      const auto match = MatchStep(graph_, node);
      ChainStep step = match->step;
      step.left = numbers.at(node.input(match->operands[0]));
      step.right = match->operands.size() > 1 ? numbers.at(node.input(match->operands[1])) : step.left;
      numbers[node.outputs[0]] = static_cast<int64_t>(inputs.size() + steps.size());
      steps.push_back(step);
    }
    Node chain = MakeNode("ElementwiseChain", kTamisDomain, inputs, {output});
    WriteChain(steps, &chain);
    if (DTypeOf(graph_, output) != DTypeOf(graph_, inputs[0])) {
      chain.attributes["output_dtype"] = static_cast<int64_t>(DTypeOf(graph_, output));
    }
    options_.Matched(graph_, output, "chain of " + std::to_string(steps.size()) + " elementwise operators");
    rewriter_.Replace(root, std::move(chain));
  }

 private:
  // Values that the group's nodes read and none of them makes.
  std::vector<ValueId> Leaves(const std::set<NodeId>& group) const {
    std::vector<ValueId> leaves;
    for (NodeId id : group) {
      const Node& node = graph_.node(id);
      const auto match = MatchStep(graph_, node);
      for (size_t i : match->operands) {
        const ValueId value = node.input(i);
        const bool inside = group.count(graph_.value(value).producer) != 0;
        if (!inside && std::find(leaves.begin(), leaves.end(), value) == leaves.end()) leaves.push_back(value);
      }
    }
    return leaves;
  }

  // Takes in one node all of whose readers are in the group; false if there is none.
  bool GrowBy(std::set<NodeId>* group, const Shape& shape) const {
    if (group->size() >= kMaxChainSteps) return false;
    for (ValueId leaf : Leaves(*group)) {
      const NodeId producer = graph_.value(leaf).producer;
      if (producer == kNoNode || rewriter_.IsOutput(leaf) || *ShapeOf(graph_, leaf) != shape) continue;
      if (!MatchStep(graph_, graph_.node(producer))) continue;
      const std::vector<NodeId> readers = rewriter_.Users(leaf);
      const bool own = std::all_of(readers.begin(), readers.end(), [&](NodeId id) { return group->count(id) != 0; });
      if (!own || rewriter_.Uses(leaf) != static_cast<int>(readers.size())) continue;
      std::set<NodeId> tried = *group;
      tried.insert(producer);
      const std::vector<ValueId> leaves = Leaves(tried);
      const bool fits = std::all_of(leaves.begin(), leaves.end(),
                                    [&](ValueId value) { return AlwaysBroadcasts(*ShapeOf(graph_, value), shape); });
      if (!fits || leaves.size() > kMaxChainInputs) continue;
      *group = std::move(tried);
      return true;
    }
    return false;
  }

  Graph& graph_;
  Rewriter rewriter_;
  const PassOptions& options_;
};

}  // namespace

Status FuseElementwise(Graph& graph, const PassOptions& options) {
  if (options.precision == DType::kFloat16) return {};
  ChainFuser fuser(graph, options);
  std::vector<NodeId> ids = graph.NodeIds();
  std::reverse(ids.begin(), ids.end());  // the last of a chain first
  for (NodeId id : ids) {
    if (!graph.node(id).removed) fuser.Fuse(id);
  }
  return {};
}

}  // namespace tamis
