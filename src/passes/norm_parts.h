// The parts that exporters write normalisations with.
#pragma once

#include <optional>

#include "src/passes/rewriter.h"

namespace tamis {

// mean(value) over the last axis, kept as a dimension: the value. kNoValue if `mean` is something else.
ValueId LastAxisMeanOf(const Graph& graph, ValueId mean);
// d of d * d or d ^ 2.
ValueId SquaredValue(const Graph& graph, ValueId square);

// value + epsilon under a root.
struct ShiftedRoot {
  ValueId value = kNoValue;
  double epsilon = 0;
};
// Sqrt(value + epsilon) or Pow(value + epsilon, 0.5).
std::optional<ShiftedRoot> MatchRoot(const Graph& graph, ValueId root);
// One over that: Reciprocal, Div(1, .) or Pow(value + epsilon, -0.5).
std::optional<ShiftedRoot> MatchReciprocalRoot(const Graph& graph, ValueId root);

// An operand and the shifted root that it is divided by, however `node` writes the quotient.
struct RootQuotient {
  ValueId dividend = kNoValue;
  ShiftedRoot root;
};
// The possibilities, at most two: a product may be read both ways.
std::vector<RootQuotient> MatchRootQuotients(const Graph& graph, const Node& node);

// The only reader of `value` if it is `op` with a constant of [channels]; the constant goes to *parameter.
NodeId AffineReader(const Rewriter& rewriter, ValueId value, std::string_view op, int64_t channels, ValueId* parameter);
// A constant of so many ones.
Tensor Ones(int64_t count);

}  // namespace tamis
