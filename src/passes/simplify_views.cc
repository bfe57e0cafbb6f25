// simplify_views: a chain of Reshape, Transpose, Squeeze, Unsqueeze and Flatten that amounts to nothing, to one Reshape
// or to one Transpose becomes that. And a Linear between two views that undo each other, as exporters flatten tokens to
// rows and back or put tokens before the batch, reads the first view's source and writes the second's shape itself.
#include <algorithm>

#include "src/passes/all_passes.h"
#include "src/passes/match.h"
#include "src/passes/rewriter.h"
#include "src/passes/views.h"

namespace tamis {
namespace {

bool IsViewNode(const Node& node) {
  return node.Is("Reshape") || node.Is("Transpose") || node.Is("Squeeze") || node.Is("Unsqueeze") || node.Is("Flatten");
}

// The order of source axes that the view has, if it only permutes whole axes.
std::optional<std::vector<int64_t>> AsPermutation(const View& view) {
  if (view.axes.size() != view.source_axes.size()) return std::nullopt;
  std::vector<bool> taken(view.source_axes.size(), false);
  std::vector<int64_t> perm;
  for (const Axis& axis : view.axes) {
    size_t found = 0;
    while (found < taken.size() && (taken[found] || FlatIds({axis}) != FlatIds({view.source_axes[found]}))) ++found;
    if (found == taken.size()) return std::nullopt;
    taken[found] = true;
    perm.push_back(static_cast<int64_t>(found));
  }
  return perm;
}

// A Reshape of the source in place of node `id`; false if the target can't be said.
bool ReplaceByReshape(Rewriter& rewriter, NodeId id, ValueId source) {
  Graph& graph = rewriter.graph();
  const ValueId output = graph.node(id).outputs[0];
  if (SameShape(graph, source, output)) return rewriter.ReplaceUses(output, source);
  const Node& node = graph.node(id);
  if (!node.Is("Transpose") && node.input(0) == source) return false;  // one view node already
  const auto target = ReshapeTarget(*ShapeOf(graph, source), *ShapeOf(graph, output));
  if (!target) return false;
  const std::string name = node.name;
  const ValueId shape = rewriter.AddConstant(graph.value(output).name + "_shape", Tensor::Int64s(*target));
  rewriter.Replace(id, MakeNode("Reshape", "", {source, shape}, {output}, {}, name));
  return true;
}

bool SimplifyChain(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  const ValueId output = graph.node(id).outputs[0];
  for (int depth = 64; depth > 0; depth = std::min(depth - 1, 8)) {
    const auto view = TraceView(graph, output, {.max_depth = depth});
    if (!view || view->depth == 0) return false;
    if (FlatIds(view->axes) == FlatIds(view->source_axes)) {
      if (ReplaceByReshape(rewriter, id, view->source)) return true;
      continue;
    }
    const auto perm = view->depth > 1 ? AsPermutation(*view) : std::nullopt;
    if (!perm) continue;
    rewriter.Replace(id, MakeNode("Transpose", "", {view->source}, {output}, {{"perm", *perm}}, graph.node(id).name));
    return true;
  }
  return false;
}

// Runs of factors that stay neighbours in this order, as axes: of the source and of the view, and the order of the
// former in the latter.
struct Regrouped {
  Shape before, after;
  std::vector<int64_t> perm;
};

std::optional<Regrouped> Regroup(const View& view) {
  std::vector<AxisFactor> source, viewed;
  for (const Axis& axis : view.source_axes) source.insert(source.end(), axis.begin(), axis.end());
  for (const Axis& axis : view.axes) viewed.insert(viewed.end(), axis.begin(), axis.end());
  if (source.size() != viewed.size() || source.empty()) return std::nullopt;
  std::vector<size_t> place(viewed.size());  // in the source
  for (size_t i = 0; i < viewed.size(); ++i) {
    const auto at =
        std::find_if(source.begin(), source.end(), [&](const AxisFactor& f) { return f.id == viewed[i].id; });
    if (at == source.end()) return std::nullopt;
    place[i] = static_cast<size_t>(at - source.begin());
  }
  struct Run {
    size_t first;  // in the source
    Dim size;
  };
  std::vector<Run> runs;
  for (size_t i = 0; i < viewed.size(); ++i) {
    if (i > 0 && place[i] == place[i - 1] + 1) {
      runs.back().size = runs.back().size * viewed[i].size;
    } else {
      runs.push_back({place[i], viewed[i].size});
    }
  }
  Regrouped result;
  std::vector<Run> ordered = runs;
  std::sort(ordered.begin(), ordered.end(), [](const Run& a, const Run& b) { return a.first < b.first; });
  for (const Run& run : ordered) result.before.push_back(run.size);
  for (const Run& run : runs) {
    result.after.push_back(run.size);
    const auto at = std::find_if(ordered.begin(), ordered.end(), [&](const Run& o) { return o.first == run.first; });
    result.perm.push_back(at - ordered.begin());
  }
  return result;
}

// The nodes from `source` to `value`, in order; each is a view of the one before.
std::vector<NodeId> ChainTo(const Graph& graph, ValueId source, ValueId value) {
  std::vector<NodeId> chain;
  while (value != source) {
    chain.push_back(graph.value(value).producer);
    value = graph.node(chain.back()).input(0);
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

// A chain with several Transposes that nothing else reads: Reshape, Transpose, Reshape. Where channels-last rows meet
// code that has channels first, as linear attention over images does, each copy is one instead of two.
bool JoinTransposes(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  if (!graph.node(id).Is("Transpose")) return false;
  const ValueId output = graph.node(id).outputs[0];
  const auto view = TraceView(graph, output, {});
  if (!view || view->depth < 2) return false;
  int copies = 0;
  for (NodeId node : ChainTo(graph, view->source, output)) {
    const ValueId made = graph.node(node).outputs[0];
    if (made != output && !rewriter.SingleUse(made)) return false;
    copies += graph.node(node).Is("Transpose") ? 1 : 0;
  }
  const auto regrouped = copies > 1 ? Regroup(*view) : std::nullopt;
  if (!regrouped) return false;
  const Shape from = *ShapeOf(graph, view->source), to = *ShapeOf(graph, output);
  const auto cut = ReshapeTarget(from, regrouped->before), join = ReshapeTarget(regrouped->after, to);
  if (!cut || !join) return false;
  const std::string name = graph.value(output).name;
  const DType dtype = DTypeOf(graph, output);
  const auto target = [&](const std::vector<int64_t>& dims) {
    return rewriter.AddConstant(name + "_shape", Tensor::Int64s(dims));
  };
  const ValueId source = view->source;
  const ValueId parts =
      rewriter.Append("Reshape", "", {source, target(*cut)}, {}, name + "_cut", Type::Tensor(dtype, regrouped->before));
  const ValueId turned = rewriter.Append("Transpose", "", {parts}, {{"perm", regrouped->perm}}, name + "_turned",
                                         Type::Tensor(dtype, regrouped->after));
  rewriter.Replace(id, MakeNode("Reshape", "", {turned, target(*join)}, {output}, {}, graph.node(id).name));
  return true;
}

bool LastAxisWhole(const View& view) {
  return !view.axes.empty() && !view.source_axes.empty() && !view.axes.back().empty() &&
         FlatIds({view.axes.back()}) == FlatIds({view.source_axes.back()});
}

// view2(Linear(view1(a))) where view1 and view2 leave the last axis alone and undo each other before it: Linear(a).
bool PassThroughLinear(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  const ValueId output = graph.node(id).outputs[0];
  const auto after = TraceView(graph, output, {});
  if (!after || after->depth == 0 || !LastAxisWhole(*after)) return false;
  const Node* linear = Producer(graph, after->source, "Linear", kTamisDomain);
  if (linear == nullptr || linear->input(3) != kNoValue) return false;
  auto view = TraceView(graph, linear->input(0), {});
  if (!view || view->depth == 0 || !LastAxisWhole(*view)) return false;
  const ValueId source = view->source;
  // The Linear replaces the last axis by another that no view may cut.
  const Axis columns = {{view->next_id++, ShapeOf(graph, after->source)->back()}};
  view->axes.back() = columns;
  view->source_axes.back() = columns;
  const std::vector<NodeId> chain = ChainTo(graph, after->source, output);
  for (NodeId node : chain) {
    const ValueId viewed = graph.node(node).input(0);
    if (!rewriter.SingleUse(viewed)) return false;
    if (!ApplyNode(graph, graph.node(node), graph.node(node).outputs[0], {}, &*view)) return false;
  }
  if (FlatIds(view->axes) != FlatIds(view->source_axes)) return false;
  Shape shape = *ShapeOf(graph, source);
  shape.back() = SizeOf(columns);
  if (!(shape == *ShapeOf(graph, output))) return false;
  Node direct = MakeNode("Linear", kTamisDomain, linear->inputs, {output}, linear->attributes, linear->name);
  direct.inputs[0] = source;
  rewriter.Replace(id, std::move(direct));
  return true;
}

// A view [B, C] of what a global pool left as [B, 1..., C]: the pool leaves the axes out.
bool DropPooledAxes(Rewriter& rewriter, NodeId id) {
  Graph& graph = rewriter.graph();
  const ValueId output = graph.node(id).outputs[0];
  const auto view = TraceView(graph, output, {});
  const Shape* shape = ShapeOf(graph, output);
  if (!view || view->depth == 0 || shape == nullptr || shape->size() != 2) return false;
  const Node* pool = Producer(graph, view->source, "ChannelsLastGlobalAveragePool", kTamisDomain);
  if (pool == nullptr || pool->Int("keepdims", 1) == 0 || FlatIds(view->axes) != FlatIds(view->source_axes))
    return false;
  const Shape& pooled = *ShapeOf(graph, view->source);
  if (!((*shape)[0] == pooled.front()) || !((*shape)[1] == pooled.back())) return false;
  for (NodeId node : ChainTo(graph, view->source, output)) {
    if (!rewriter.SingleUse(graph.node(node).input(0))) return false;
  }
  Node flat = MakeNode(pool->op, kTamisDomain, pool->inputs, {output}, pool->attributes, pool->name);
  flat.attributes["keepdims"] = int64_t{0};
  rewriter.Replace(id, std::move(flat));
  return true;
}

}  // namespace

Status SimplifyViews(Graph& graph, const PassOptions& options) {
  Rewriter rewriter(graph, options);
  for (NodeId id : graph.NodeIds()) {
    if (graph.node(id).removed || !IsViewNode(graph.node(id))) continue;
    if (DropPooledAxes(rewriter, id) || PassThroughLinear(rewriter, id)) continue;
    if (!SimplifyChain(rewriter, id)) JoinTransposes(rewriter, id);
  }
  return {};
}

}  // namespace tamis
