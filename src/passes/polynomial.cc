#include "src/passes/polynomial.h"

#include <cmath>

#include "src/passes/match.h"

namespace tamis {
namespace {

constexpr int kMaxDegree = 4;
constexpr int kMaxDepth = 10;

Polynomial Sum(const Polynomial& a, const Polynomial& b, double sign) {
  Polynomial sum = a;
  for (const auto& [powers, coefficient] : b) {
    const double value = sum[powers] + sign * coefficient;
    if (value == 0) {
      sum.erase(powers);
    } else {
      sum[powers] = value;
    }
  }
  return sum;
}

std::optional<Polynomial> Product(const Polynomial& a, const Polynomial& b) {
  Polynomial product;
  for (const auto& [pa, ca] : a) {
    for (const auto& [pb, cb] : b) {
      const std::pair<int, int> powers{pa.first + pb.first, pa.second + pb.second};
      if (powers.first + powers.second > kMaxDegree) return std::nullopt;
      product[powers] += ca * cb;
    }
  }
  std::erase_if(product, [](const auto& term) { return term.second == 0; });
  return product;
}

std::optional<Polynomial> Of(const Graph& graph, ValueId value, ValueId x, ValueId u, int depth) {
  if (value == x) return Polynomial{{{1, 0}, 1.0}};
  if (value == u) return Polynomial{{{0, 1}, 1.0}};
  if (const auto constant = ScalarConstant(graph, value)) {
    return *constant == 0 ? Polynomial{} : Polynomial{{{0, 0}, *constant}};
  }
  if (value == kNoValue || depth == 0 || graph.value(value).producer == kNoNode) return std::nullopt;
  const Node& node = graph.node(graph.value(value).producer);
  const auto operand = [&](size_t i) { return Of(graph, node.input(i), x, u, depth - 1); };
  if (node.Is("Neg")) {
    const auto a = operand(0);
    return a ? std::optional(Sum({}, *a, -1)) : std::nullopt;
  }
  if (node.inputs.size() != 2) return std::nullopt;
  if (node.Is("Add") || node.Is("Sub") || node.Is("Mul")) {
    const auto a = operand(0);
    const auto b = a ? operand(1) : std::nullopt;
    if (!b) return std::nullopt;
    return node.Is("Mul") ? Product(*a, *b) : Sum(*a, *b, node.Is("Add") ? 1 : -1);
  }
  const auto constant = ScalarConstant(graph, node.input(1));
  if (!constant) return std::nullopt;
  if (node.Is("Div")) {
    const auto a = *constant == 0 ? std::nullopt : operand(0);
    return a ? Product(*a, {{{0, 0}, 1 / *constant}}) : std::nullopt;
  }
  if (!node.Is("Pow") || *constant != std::floor(*constant) || *constant < 1 || *constant > kMaxDegree) {
    return std::nullopt;
  }
  const auto base = operand(0);
  std::optional<Polynomial> power = base;
  for (int i = 1; power && i < static_cast<int>(*constant); ++i) power = Product(*power, *base);
  return power;
}

}  // namespace

std::optional<Polynomial> PolynomialOf(const Graph& graph, ValueId value, ValueId x, ValueId u) {
  return Of(graph, value, x, u, kMaxDepth);
}

bool Matches(const Polynomial& polynomial, const Polynomial& expected, double tolerance) {
  if (polynomial.size() != expected.size()) return false;
  for (const auto& [powers, coefficient] : expected) {
    const auto found = polynomial.find(powers);
    if (found == polynomial.end() || std::abs(found->second - coefficient) > tolerance * std::abs(coefficient))
      return false;
  }
  return true;
}

}  // namespace tamis
