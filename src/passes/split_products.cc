// split_products: a Linear whose result is cut into equal parts of its last axis (gate and up projections stored as
// one, q, k and v) becomes a Linear for each part, with those rows of the weight: nothing is copied apart, and each
// product takes in what follows its part. Constants that come from one initializer say which rows of it they are.
#include "src/passes/all_passes.h"
#include "src/passes/attention_rows.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"

namespace tamis {
namespace {

// Whether all that reads the value takes it apart along the last axis.
bool IsCutApart(const Rewriter& rewriter, ValueId value) {
  const Graph& graph = rewriter.graph();
  const std::vector<NodeId> readers = rewriter.Users(value);
  if (readers.size() != 1 || rewriter.IsOutput(value)) return false;
  const Node& split = graph.node(readers[0]);
  const int64_t rank = RankOf(graph, value), axis = split.Int("axis", 0);
  if (!split.Is("Split") || (axis != -1 && axis != rank - 1) || split.outputs.size() < 2) return false;
  const Shape* first = ShapeOf(graph, split.outputs[0]);
  for (ValueId part : split.outputs) {
    if (part == kNoValue || rewriter.IsOutput(part)) return false;
    const Shape* shape = ShapeOf(graph, part);
    if (first == nullptr || shape == nullptr || *shape != *first || !shape->back().IsConstant()) return false;
  }
  return true;
}

}  // namespace

Status SplitProducts(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    const Node& linear = graph.node(id);
    if (linear.removed || !linear.IsTamis("Linear") || !IsCutApart(rewriter, linear.outputs[0])) continue;
    const ValueId whole = linear.outputs[0];
    const NodeId split = rewriter.Users(whole)[0];
    const std::vector<ValueId> parts = graph.node(split).outputs;
    const auto count = static_cast<int64_t>(parts.size());
    std::vector<ValueId> products;
    for (int64_t part = 0; part < count; ++part) products.push_back(SplitLinear(rewriter, whole, part, count));
    if (products[0] == kNoValue) {
      options.Missed(graph, whole, "product in parts", "its weight isn't a constant, or it has an activation already");
      continue;
    }
    options.Matched(graph, whole, "product in " + std::to_string(count) + " parts");
    for (size_t i = 0; i < parts.size(); ++i) rewriter.ReplaceUses(parts[i], products[i]);
  }
  return {};
}

}  // namespace tamis
