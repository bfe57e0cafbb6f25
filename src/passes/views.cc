#include "src/passes/views.h"

#include <algorithm>
#include <deque>

#include "src/passes/match.h"

namespace tamis {
namespace {

bool Divides(const Dim& divisor, const Dim& dividend, Dim* quotient) {
  if (divisor == Dim(0)) return false;
  *quotient = Dim::FloorDiv(dividend, divisor);
  return *quotient * divisor == dividend && !(*quotient == Dim(0));
}

// Replaces factor `id` by `outer` and `inner` wherever it stands.
void SplitFactor(std::vector<Axis>* axes, int id, const AxisFactor& outer, const AxisFactor& inner) {
  for (Axis& axis : *axes) {
    for (size_t i = 0; i < axis.size(); ++i) {
      if (axis[i].id != id) continue;
      axis[i] = outer;
      axis.insert(axis.begin() + static_cast<int64_t>(i) + 1, inner);
      return;
    }
  }
}

// Groups the factors anew so that their products are `shape`, cutting factors where a boundary falls inside.
bool Regroup(const Shape& shape, View* view) {
  std::deque<AxisFactor> left;
  for (const Axis& axis : view->axes) left.insert(left.end(), axis.begin(), axis.end());
  std::vector<Axis> axes;
  for (const Dim& dim : shape) {
    Axis axis;
    Dim missing = dim;
    while (!(missing == Dim(1))) {
      if (left.empty()) return false;
      const AxisFactor factor = left.front();
      left.pop_front();
      Dim quotient;
      if (factor.size == missing) {
        axis.push_back(factor);
        missing = Dim(1);
      } else if (Divides(factor.size, missing, &quotient)) {
        axis.push_back(factor);
        missing = quotient;
      } else if (Divides(missing, factor.size, &quotient)) {
        const AxisFactor outer{view->next_id++, missing}, inner{view->next_id++, quotient};
        SplitFactor(&view->source_axes, factor.id, outer, inner);
        if (view->IsRepeated(factor.id)) view->repeated.insert(view->repeated.end(), {outer.id, inner.id});
        axis.push_back(outer);
        left.push_front(inner);
        missing = Dim(1);
      } else {
        return false;
      }
    }
    axes.push_back(std::move(axis));
  }
  if (!left.empty()) return false;
  view->axes = std::move(axes);
  return true;
}

// Takes part `index` of `parts` equal ones of an axis; the axis keeps the rest. `inner`: every `parts`-th place, from
// `index` on.
bool TakePart(View* view, size_t axis, const Dim& parts, int64_t index, bool inner = false) {
  const size_t part = axis + (inner ? 1 : 0);
  Shape shape;
  for (const Axis& a : view->axes) shape.push_back(SizeOf(a));
  Dim rest;
  if (!Divides(parts, shape[axis], &rest)) return false;
  shape[axis] = rest;
  shape.insert(shape.begin() + static_cast<int64_t>(part), parts);
  if (!Regroup(shape, view)) return false;
  const Axis& taken = view->axes[part];
  if (taken.size() > 1) return false;
  if (taken.size() == 1) view->selected.push_back({taken[0].id, index});
  view->axes.erase(view->axes.begin() + static_cast<int64_t>(part));
  return true;
}

bool ApplyGather(const Graph& graph, const Node& node, View* view) {
  const auto index = KnownInts(graph, node.input(1));
  const auto rank = static_cast<int64_t>(view->axes.size());
  int64_t axis = node.Int("axis", 0);
  if (axis < 0) axis += rank;
  if (!index || index->size() != 1 || RankOf(graph, node.input(1)) > 1 || axis < 0 || axis >= rank) return false;
  const auto size = SizeOf(view->axes[static_cast<size_t>(axis)]).Constant();
  if (!size) return false;
  const int64_t position = (*index)[0] < 0 ? (*index)[0] + *size : (*index)[0];
  if (position < 0 || position >= *size || !TakePart(view, static_cast<size_t>(axis), Dim(*size), position))
    return false;
  if (RankOf(graph, node.input(1)) == 0) view->axes.erase(view->axes.begin() + axis);
  return true;
}

// Split and Slice: [begin, end) of one axis must be one of equal parts of it.
bool ApplyRange(View* view, int64_t axis, int64_t begin, int64_t end) {
  const auto rank = static_cast<int64_t>(view->axes.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  const auto size = SizeOf(view->axes[static_cast<size_t>(axis)]).Constant();
  if (!size) return false;
  if (begin < 0) begin += *size;
  if (end < 0) end += *size;
  end = std::min(end, *size);
  const int64_t length = end - begin;
  if (begin < 0 || length <= 0 || begin % length != 0 || *size % length != 0) return false;
  return TakePart(view, static_cast<size_t>(axis), Dim(*size / length), begin / length);
}

// Slice with a step: one of the axis' interleaved parts, to its end.
bool ApplyEvery(View* view, int64_t axis, int64_t begin, int64_t end, int64_t step) {
  const auto rank = static_cast<int64_t>(view->axes.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return false;
  const auto size = SizeOf(view->axes[static_cast<size_t>(axis)]).Constant();
  if (!size || *size % step != 0 || begin < 0 || begin >= step || end < 0 || end <= *size - step + begin) return false;
  return TakePart(view, static_cast<size_t>(axis), Dim(step), begin, true);
}

bool ApplySplit(const Graph& graph, const Node& node, ValueId output, View* view) {
  const auto rank = static_cast<int64_t>(view->axes.size());
  int64_t axis = node.Int("axis", 0);
  if (axis < 0) axis += rank;
  int64_t begin = 0;
  for (ValueId part : node.outputs) {
    const Shape* shape = ShapeOf(graph, part);
    if (shape == nullptr || axis < 0 || axis >= static_cast<int64_t>(shape->size())) return false;
    const auto length = (*shape)[static_cast<size_t>(axis)].Constant();
    if (!length) return false;
    if (part == output) return ApplyRange(view, axis, begin, begin + *length);
    begin += *length;
  }
  return false;
}

bool ApplySlice(const Graph& graph, const Node& node, View* view) {
  const auto starts = node.Has("starts") ? node.Ints("starts") : KnownInts(graph, node.input(1));
  const auto ends = node.Has("ends") ? node.Ints("ends") : KnownInts(graph, node.input(2));
  if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return false;
  int64_t axis = 0;
  if (node.Has("axes") || node.input(3) != kNoValue) {
    const auto axes = node.Has("axes") ? node.Ints("axes") : KnownInts(graph, node.input(3));
    if (!axes || axes->size() != 1) return false;
    axis = (*axes)[0];
  }
  if (node.input(4) != kNoValue) {
    const auto steps = KnownInts(graph, node.input(4));
    if (!steps || steps->size() != 1 || (*steps)[0] < 1) return false;
    if ((*steps)[0] > 1) return ApplyEvery(view, axis, (*starts)[0], (*ends)[0], (*steps)[0]);
  }
  return ApplyRange(view, axis, (*starts)[0], (*ends)[0]);
}

bool ApplyTranspose(const Node& node, View* view) {
  const auto perm = node.Ints("perm");
  const auto rank = static_cast<int64_t>(view->axes.size());
  std::vector<Axis> axes;
  if (perm.empty()) {
    axes.assign(view->axes.rbegin(), view->axes.rend());
  } else {
    if (static_cast<int64_t>(perm.size()) != rank) return false;
    for (int64_t axis : perm) {
      if (axis < 0 || axis >= rank) return false;
      axes.push_back(view->axes[static_cast<size_t>(axis)]);
    }
  }
  view->axes = std::move(axes);
  return true;
}

bool ApplyScale(const Graph& graph, const Node& node, View* view) {
  const auto scaled = MatchScalarOperand(graph, node);
  if (!scaled || (node.Is("Div") && scaled->constant == 0)) return false;
  view->scale = node.Is("Mul") ? view->scale * scaled->constant : view->scale / scaled->constant;
  return true;
}

// Expand and Tile whose every axis stays, or is of size one and repeated.
bool ApplyRepeat(const Graph& graph, ValueId output, View* view) {
  const Shape* shape = ShapeOf(graph, output);
  if (shape == nullptr || shape->size() < view->axes.size()) return false;
  view->axes.insert(view->axes.begin(), shape->size() - view->axes.size(), Axis{});
  for (size_t i = 0; i < shape->size(); ++i) {
    if (SizeOf(view->axes[i]) == (*shape)[i]) continue;
    if (!view->axes[i].empty()) return false;
    view->repeated.push_back(view->next_id);
    view->axes[i].push_back({view->next_id++, (*shape)[i]});
  }
  return true;
}

// The input that a node may be a view of; kNoValue if it is no view under these options.
ValueId ViewedInput(const Graph& graph, const Node& node, const ViewOptions& options) {
  if (!node.domain.empty()) return kNoValue;
  if (node.Is("Transpose") || node.Is("Reshape") || node.Is("Flatten") || node.Is("Squeeze") || node.Is("Unsqueeze")) {
    return node.input(0);
  }
  if (options.select && (node.Is("Gather") || node.Is("Split") || node.Is("Slice"))) return node.input(0);
  if (options.repeat && (node.Is("Expand") || node.Is("Tile"))) return node.input(0);
  if (!options.scale || (!node.Is("Mul") && !node.Is("Div"))) return kNoValue;
  const auto scaled = MatchScalarOperand(graph, node);
  return scaled ? scaled->value : kNoValue;
}

}  // namespace

Dim SizeOf(const Axis& axis) {
  Dim size(1);
  for (const AxisFactor& factor : axis) size = size * factor.size;
  return size;
}

std::vector<int> FlatIds(const std::vector<Axis>& axes) {
  std::vector<int> ids;
  for (const Axis& axis : axes) {
    for (const AxisFactor& factor : axis) ids.push_back(factor.id);
  }
  return ids;
}

std::optional<View> WholeView(const Graph& graph, ValueId value) {
  const Shape* shape = ShapeOf(graph, value);
  if (shape == nullptr) return std::nullopt;
  View view;
  view.source = value;
  for (const Dim& dim : *shape) {
    Axis axis;
    if (!(dim == Dim(1))) axis.push_back({view.next_id++, dim});
    view.axes.push_back(std::move(axis));
  }
  view.source_axes = view.axes;
  return view;
}

bool ApplyNode(const Graph& graph, const Node& node, ValueId output, const ViewOptions& options, View* view) {
  if (ViewedInput(graph, node, options) == kNoValue) return false;
  ++view->depth;
  if (node.Is("Transpose")) return ApplyTranspose(node, view);
  if (node.Is("Gather")) return ApplyGather(graph, node, view);
  if (node.Is("Split")) return ApplySplit(graph, node, output, view);
  if (node.Is("Slice")) return ApplySlice(graph, node, view);
  if (node.Is("Mul") || node.Is("Div")) return ApplyScale(graph, node, view);
  if (node.Is("Expand") || node.Is("Tile")) return ApplyRepeat(graph, output, view);
  const Shape* shape = ShapeOf(graph, output);
  return shape != nullptr && Regroup(*shape, view);
}

std::optional<View> TraceView(const Graph& graph, ValueId value, const ViewOptions& options) {
  const NodeId producer = value == kNoValue ? kNoNode : graph.value(value).producer;
  const ValueId input = producer == kNoNode ? kNoValue : ViewedInput(graph, graph.node(producer), options);
  if (input != kNoValue && options.max_depth > 0) {
    ViewOptions rest = options;
    --rest.max_depth;
    auto view = TraceView(graph, input, rest);
    if (view && ApplyNode(graph, graph.node(producer), value, options, &*view)) return view;
  }
  return WholeView(graph, value);
}

}  // namespace tamis
