// recognize_activations: Gelu (erf and tanh forms), Swish, Mish, HardSigmoid and HardSwish from their parts. An
// activation is a polynomial in x and one other function u of x; both are compared as polynomials, so the order and
// grouping of the products, and where the constants stand, do not matter:
//
//   Gelu           x/2 + x*u/2      u = erf(x / sqrt(2)), or tanh(sqrt(2/pi) * (x + 0.044715 x^3))
//                  x/2 - x*u/2      u of -x, both being odd functions: x/2 * erfc(-x / sqrt(2)) is written so
//                  x*u              u = sigmoid(2 sqrt(2/pi) * (x + 0.044715 x^3))
//   Swish          x*u              u = sigmoid(alpha * x); with 1.702 it stands for Gelu, whose values it doesn't have
//   Mish           x*u              u = tanh(softplus(x)), or with log(1 + exp(x)) for softplus
//   HardSigmoid    u/6              u = clip(x + 3, 0, 6), or u itself with clip(x/6 + 1/2, 0, 1)
//   HardSwish      x*u/6, x*u       u as above, or HardSigmoid(x) with alpha 1/6 and beta 1/2
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
  return node.Is("Erf") || node.Is("Tanh") || node.Is("Sigmoid") || node.Is("Clip") || node.Is("HardSigmoid");
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

// What softplus takes if `value` is softplus of it, else kNoValue.
ValueId SoftplusOperand(const Graph& graph, ValueId value) {
  if (const Node* softplus = Producer(graph, value, "Softplus")) return softplus->input(0);
  const Node* log = Producer(graph, value, "Log");
  const Node* sum = log != nullptr ? Producer(graph, log->input(0), "Add") : nullptr;
  for (size_t i : {size_t{0}, size_t{1}}) {
    if (sum == nullptr || ScalarConstant(graph, sum->input(i)) != 1.0) continue;
    if (const Node* exp = Producer(graph, sum->input(1 - i), "Exp")) return exp->input(0);
  }
  return kNoValue;
}

// The values that `function` may be a function of, if it is a part of an activation.
std::vector<ValueId> Arguments(const Graph& graph, const Node& function) {
  std::vector<ValueId> arguments;
  const ValueId softplus = function.Is("Tanh") ? SoftplusOperand(graph, function.input(0)) : kNoValue;
  if (softplus != kNoValue) arguments.push_back(softplus);
  CollectOperands(graph, function.input(0), kSearchDepth, &arguments);
  return arguments;
}

const Polynomial kXU = {{{1, 1}, 1.0}};

// slope * (x + 0.044715 x^3)
bool IsGeluCubic(const Polynomial& polynomial, double slope) {
  return Matches(polynomial, {{{1, 0}, slope}, {{3, 0}, slope * 0.044715}});
}

std::optional<Recognised> MatchGelu(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  const auto argument = PolynomialOf(graph, function.input(0), x, kNoValue);
  const auto whole = argument ? PolynomialOf(graph, root, x, function.outputs[0]) : std::nullopt;
  if (!whole) return std::nullopt;
  for (const double sign : {1.0, -1.0}) {
    if (!Matches(*whole, {{{1, 0}, 0.5}, {{1, 1}, sign * 0.5}})) continue;
    if (function.Is("Erf") && Matches(*argument, {{{1, 0}, sign * std::numbers::sqrt2 / 2}})) {
      return Recognised{"Gelu", x, {{"approximate", std::string("none")}}};
    }
    if (function.Is("Tanh") && IsGeluCubic(*argument, sign * std::sqrt(2 / std::numbers::pi))) {
      return Recognised{"Gelu", x, {{"approximate", std::string("tanh")}}};
    }
  }
  return std::nullopt;
}

std::optional<Recognised> MatchSwish(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  const auto argument = PolynomialOf(graph, function.input(0), x, kNoValue);
  const auto whole = argument ? PolynomialOf(graph, root, x, function.outputs[0]) : std::nullopt;
  if (!whole || !Matches(*whole, kXU)) return std::nullopt;
  if (IsGeluCubic(*argument, 2 * std::sqrt(2 / std::numbers::pi))) {
    return Recognised{"Gelu", x, {{"approximate", std::string("tanh")}}};
  }
  if (argument->size() != 1 || argument->begin()->first != std::pair(1, 0)) return std::nullopt;
  return Recognised{"Swish", x, {{"alpha", static_cast<float>(argument->begin()->second)}}};
}

std::optional<Recognised> MatchMish(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  const auto whole = PolynomialOf(graph, root, x, function.outputs[0]);
  return whole && Matches(*whole, kXU) ? std::optional(Recognised{"Mish", x, {}}) : std::nullopt;
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

std::optional<Recognised> MatchFunction(const Graph& graph, const Node& function, ValueId root, ValueId x) {
  if (function.Is("Sigmoid")) return MatchSwish(graph, function, root, x);
  if (function.Is("Clip") || function.Is("HardSigmoid")) return MatchHard(graph, function, root, x);
  if (function.Is("Tanh") && SoftplusOperand(graph, function.input(0)) == x) return MatchMish(graph, function, root, x);
  return MatchGelu(graph, function, root, x);
}

std::optional<Recognised> Recognise(const Graph& graph, const Node& node) {
  std::vector<ValueId> operands;
  CollectOperands(graph, node.outputs[0], kSearchDepth, &operands);
  for (ValueId u : operands) {
    const NodeId producer = graph.value(u).producer;
    if (producer == kNoNode || !IsFunction(graph.node(producer))) continue;
    const Node& function = graph.node(producer);
    for (ValueId x : Arguments(graph, function)) {
      auto found = MatchFunction(graph, function, node.outputs[0], x);
      if (found && SameShape(graph, x, node.outputs[0]) && IsFloat(DTypeOf(graph, x))) return found;
    }
  }
  return std::nullopt;
}

}  // namespace

Status RecognizeActivations(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
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
  return {};
}

}  // namespace tamis
