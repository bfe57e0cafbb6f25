// Views: what a chain of Reshape, Transpose, Squeeze, Unsqueeze, Flatten and selections does to the axes of its source.
//
// Every axis of the source is a list of factors, outermost first; [batch, tokens, 768] that a Reshape cuts into
// [batch, tokens, 12, 64] has the last axis 12 * 64. A view lists the same factors in the order and grouping of its own
// axes. So two chains do the same exactly if their factors agree, however an exporter wrote them. Factors of size one
// are not listed.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "src/ir/graph.h"

namespace tamis {

struct AxisFactor {
  int id = 0;
  Dim size;
};
using Axis = std::vector<AxisFactor>;

struct SelectedFactor {
  int id = 0;
  int64_t index = 0;
};

struct View {
  ValueId source = kNoValue;
  std::vector<Axis> source_axes;         // of the source, cut as finely as the view needs
  std::vector<Axis> axes;                // of the viewed value
  std::vector<int> repeated;             // factors that the source lacks: the view repeats its elements along them
  std::vector<SelectedFactor> selected;  // factors of the source of which the view takes one index
  double scale = 1;                      // the view's elements are the source's times this
  int depth = 0;                         // nodes between source and value
  int next_id = 0;

  bool IsRepeated(int id) const { return std::find(repeated.begin(), repeated.end(), id) != repeated.end(); }
};

struct ViewOptions {
  bool select = false;  // go through Gather, Split and Slice that take one of equal parts
  bool scale = false;   // go through Mul and Div by a constant number
  bool repeat = false;  // go through Expand and Tile of axes of size one
  int max_depth = 64;
};

// The value as a view of itself; nullopt if its rank is unknown.
std::optional<View> WholeView(const Graph& graph, ValueId value);
// Appends what `node` does to the axes of its first input; false (and `view` is spoiled) if it isn't such a node.
bool ApplyNode(const Graph& graph, const Node& node, ValueId output, const ViewOptions& options, View* view);
// The value as a view of the farthest source that can be told, itself at worst.
std::optional<View> TraceView(const Graph& graph, ValueId value, const ViewOptions& options);

std::vector<int> FlatIds(const std::vector<Axis>& axes);
// Product of sizes.
Dim SizeOf(const Axis& axis);

}  // namespace tamis
