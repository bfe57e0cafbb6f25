// Values of which a graph shows what they hold at every place: one number everywhere, or their own index along an axis.
// Exporters build masks and positions from these (Range, ConstantOfShape, CumSum of ones, ...).
#pragma once

#include <optional>

#include "src/ir/graph.h"

namespace tamis {

// value[..., i, ...] = i + offset, i being the index along one axis, counted from the last (1) forwards. An axis of 0:
// the value is `offset` everywhere.
struct IndexValue {
  int64_t axis = 0;
  Dim offset;
};

std::optional<IndexValue> MatchIndex(const Graph& graph, ValueId value);
// The one number that every element is.
std::optional<double> MatchUniform(const Graph& graph, ValueId value);
// Whether the result differs from the input in leading axes of size one, or repeats it along axes of size one, or holds
// the same numbers in another type: elements keep their places, counted from the last axis.
bool KeepsPlaces(const Graph& graph, const Node& node);

}  // namespace tamis
