// recognize_activations: Gelu (erf and tanh forms), HardSigmoid and HardSwish from their parts. An activation is a
// polynomial in x and one other function u of x; both are compared as polynomials, so the order and grouping of the
// products, and where the constants stand, do not matter:
//
//   Gelu           x/2 + x*u/2      u = erf(x / sqrt(2)), or tanh(sqrt(2/pi) * (x + 0.044715 x^3))
//   HardSigmoid    u/6              u = clip(x + 3, 0, 6), or u itself with clip(x/6 + 1/2, 0, 1)
//   HardSwish      x*u/6, x*u       u as above, or HardSigmoid(x) with alpha 1/6 and beta 1/2
//
// x * sigmoid(1.702 x) is an approximation with another error and stays what it is.
#include <cmath>
#include <numbers>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/polynomial.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

constexpr int kSearchDepth = 5;

bool IsArithmetic(const Node& node) {
  return node.Is("Add") || node.Is("Sub") || node.Is("Mul") || node.Is("Div") || node.Is("Pow") || node.Is("Neg");
}

bool IsFunction(const Node& node) {
  return node.Is("Erf") || node.Is("Tanh") || node.Is("Clip") || node.Is("HardSigmoid");
}

// All values that arithmetic leads to from `value`, itself first.
void CollectOperands(const Graph& graph, ValueId value, int depth, std::vector<ValueId>* found) {
  if (value == kNoValue || graph.value(value).IsConstant()) return;
  found->push_back(value);
  const NodeId producer = graph.value(value).producer;
  if (depth == 0 || producer == kNoNode || !IsArithmetic(graph.node(producer))) return;
  for (ValueId input : graph.node(producer).inputs) CollectOperands(graph, input, depth - 1, found);
}

struct Recognised {
  std::string op;
  ValueId x = kNoValue;
  std::map<std::string, Attribute> attributes;
};

const Polynomial kHalfXPlusHalfXU = {{{1, 0}, 0.5}, {{1, 1}, 0.5}};

std::optional<Recognised> MatchGelu(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  const auto argument = PolynomialOf(graph, function.input(0), x, kNoValue);
  const auto whole = argument ? PolynomialOf(graph, root, x, function.outputs[0]) : std::nullopt;
  if (!whole || !Matches(*whole, kHalfXPlusHalfXU)) return std::nullopt;
  if (function.Is("Erf") && Matches(*argument, {{{1, 0}, std::numbers::sqrt2 / 2}})) {
    return Recognised{"Gelu", x, {{"approximate", std::string("none")}}};
  }
  const double slope = std::sqrt(2 / std::numbers::pi);
  if (function.Is("Tanh") && Matches(*argument, {{{1, 0}, slope}, {{3, 0}, slope * 0.044715}})) {
    return Recognised{"Gelu", x, {{"approximate", std::string("tanh")}}};
  }
  return std::nullopt;
}

// The factor that makes `function` a hard sigmoid of x: 1/6 for clip(x + 3, 0, 6), 1 for the others.
std::optional<double> HardSigmoidFactor(const Graph& graph, const Node& function, ValueId x) {
  if (function.Is("HardSigmoid")) {
    const bool fits = function.input(0) == x && std::abs(function.Float("alpha", 0.2f) * 6 - 1) < 1e-4 &&
                      std::abs(function.Float("beta", 0.5f) - 0.5) < 1e-4;
    return fits ? std::optional(1.0) : std::nullopt;
  }
  const auto bounds = ClipBounds(graph, function);
  const auto argument = bounds ? PolynomialOf(graph, function.input(0), x, kNoValue) : std::nullopt;
  if (!argument || bounds->first != 0) return std::nullopt;
  if (bounds->second == 6 && Matches(*argument, {{{1, 0}, 1.0}, {{0, 0}, 3.0}})) return 1.0 / 6;
  if (bounds->second == 1 && Matches(*argument, {{{1, 0}, 1.0 / 6}, {{0, 0}, 0.5}})) return 1.0;
  return std::nullopt;
}

std::optional<Recognised> MatchHard(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  const auto factor = HardSigmoidFactor(graph, function, x);
  const auto whole = factor ? PolynomialOf(graph, root, x, function.outputs[0]) : std::nullopt;
  if (!whole) return std::nullopt;
  if (Matches(*whole, {{{1, 1}, *factor}})) return Recognised{"HardSwish", x, {}};
  if (Matches(*whole, {{{0, 1}, *factor}}) && !function.Is("HardSigmoid")) {
    return Recognised{"HardSigmoid", x, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}};
  }
  return std::nullopt;
}

std::optional<Recognised> Recognise(const Graph& graph, const Node& node) {
  std::vector<ValueId> operands;
  CollectOperands(graph, node.outputs[0], kSearchDepth, &operands);
  for (ValueId u : operands) {
    const NodeId producer = graph.value(u).producer;
    if (producer == kNoNode || !IsFunction(graph.node(producer))) continue;
    const Node& function = graph.node(producer);
    std::vector<ValueId> arguments;
    CollectOperands(graph, function.input(0), kSearchDepth, &arguments);
    for (ValueId x : arguments) {
      const bool gelu = function.Is("Erf") || function.Is("Tanh");
      auto found =
          gelu ? MatchGelu(graph, function, node.outputs[0], x) : MatchHard(graph, function, node.outputs[0], x);
      if (found && SameShape(graph, x, node.outputs[0]) && IsFloat(DTypeOf(graph, x))) return found;
    }
  }
  return std::nullopt;
}

}  // namespace

Status RecognizeActivations(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph);
  for (NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    if (node.removed || (!IsArithmetic(node) && !node.Is("Clip"))) continue;
    auto found = Recognise(graph, node);
    if (!found) continue;
    const std::vector<ValueId> outputs = node.outputs;
    if (!rewriter.ConeIsPrivate(id, {found->x})) {
      options.Missed(graph, outputs[0], found->op, "another node reads a part of it");
      continue;
    }
    options.Matched(graph, outputs[0], found->op);
    rewriter.Replace(id, MakeNode(found->op, "", {found->x}, outputs, std::move(found->attributes)));
  }
  graph.Compact();
  return {};
}

}  // namespace tamis
