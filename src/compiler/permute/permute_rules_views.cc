// Reshapes: axes that are cut, merged, added or dropped.
#include <algorithm>

#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

// Beyond so many channels a flattened image is not followed.
constexpr int64_t kMostChannels = int64_t{1} << 20;

// Axes [in_begin, in_end) of the one shape hold what axes [out_begin, out_end) of the other do, in the same order.
struct Segment {
  size_t in_begin, in_end, out_begin, out_end;
};

// Whether the product `a` wants another factor before `b` does, so that they can become equal.
bool IsShorter(const Dim& a, const Dim& b) {
  if (a.IsConstant() && b.IsConstant()) return *a.Constant() < *b.Constant();
  return a.Size() < b.Size();
}

// The finest segments from the left as far as products can be shown to be equal, the same from the right, and what is
// left between them.
std::vector<Segment> CutIntoSegments(const Shape& in, const Shape& out) {
  std::vector<Segment> segments;
  const auto scan = [&](bool left, size_t in_count, size_t out_count, size_t* in_done, size_t* out_done) {
    const auto in_at = [&](size_t i) { return left ? in[i] : in[in.size() - 1 - i]; };
    const auto out_at = [&](size_t i) { return left ? out[i] : out[out.size() - 1 - i]; };
    *in_done = *out_done = 0;
    size_t i = 0, o = 0;
    while (i < in_count && o < out_count) {
      Dim a = in_at(i++), b = out_at(o++);
      while (!(a == b)) {
        if (IsShorter(a, b) && i < in_count) {
          a = a * in_at(i++);
        } else if (!IsShorter(a, b) && o < out_count) {
          b = b * out_at(o++);
        } else {
          return;
        }
      }
      if (left) {
        segments.push_back({*in_done, i, *out_done, o});
      } else {
        segments.push_back({in.size() - i, in.size() - *in_done, out.size() - o, out.size() - *out_done});
      }
      *in_done = i;
      *out_done = o;
    }
  };
  size_t in_left = 0, out_left = 0, in_right = 0, out_right = 0;
  scan(true, in.size(), out.size(), &in_left, &out_left);
  scan(false, in.size() - in_left, out.size() - out_left, &in_right, &out_right);
  segments.push_back({in_left, in.size() - in_right, out_left, out.size() - out_right});
  std::sort(segments.begin(), segments.end(), [](const Segment& a, const Segment& b) {
    return std::pair(a.in_begin, a.out_begin) < std::pair(b.in_begin, b.out_begin);
  });
  return segments;
}

// Appends axes [begin, end) and their dimensions; false if one is not constant.
bool AppendAxes(const Shape& shape, size_t begin, size_t end, std::vector<int64_t>* axes, std::vector<int64_t>* dims) {
  for (size_t i = begin; i < end; ++i) {
    const auto dim = shape[i].Constant();
    if (!dim || *dim < 1) return false;
    if (*dim == 1) continue;
    axes->push_back(static_cast<int64_t>(i));
    dims->push_back(*dim);
  }
  return true;
}

// The label of the result; none if the channels can't be followed.
ChannelLabel Reshaped(ChannelTrace& trace, const ChannelLabel& label, const Shape& in, const Shape& out) {
  std::vector<int64_t> in_axes, in_dims, out_axes, out_dims;
  for (const Segment& segment : CutIntoSegments(in, out)) {
    bool affected = false;
    for (const int64_t axis : label.axes) {
      affected =
          affected || (axis >= static_cast<int64_t>(segment.in_begin) && axis < static_cast<int64_t>(segment.in_end));
    }
    if (!affected) continue;
    if (!AppendAxes(in, segment.in_begin, segment.in_end, &in_axes, &in_dims)) return {};
    if (!AppendAxes(out, segment.out_begin, segment.out_end, &out_axes, &out_dims)) return {};
  }
  if (in_axes == label.axes) return {label.space, out_axes};
  int64_t total = 1;
  for (const int64_t dim : in_dims) total *= dim;
  if (total > kMostChannels) return {};
  std::vector<size_t> places;  // in in_axes of the label's axes
  std::vector<int64_t> label_dims;
  for (const int64_t axis : label.axes) {
    places.push_back(static_cast<size_t>(std::find(in_axes.begin(), in_axes.end(), axis) - in_axes.begin()));
    label_dims.push_back(in_dims[places.back()]);
  }
  ChannelSpaces::Pairs pairs;
  ForCoordinates(in_dims, [&](int64_t flat, std::span<const int64_t> at) {
    std::vector<int64_t> own;
    for (const size_t place : places) own.push_back(at[place]);
    pairs.emplace_back(static_cast<int32_t>(FlatIndex(label_dims, own)), static_cast<int32_t>(flat));
  });
  const SpaceId space = trace.spaces().Add(total);
  trace.spaces().Relate(label.space, space, std::move(pairs));
  return {space, out_axes};
}

}  // namespace

void TraceReshape(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const Shape *in = ShapeOf(graph, node.inputs[0]), *out = ShapeOf(graph, node.outputs[0]);
  const bool known = in != nullptr && out != nullptr;
  const ChannelLabel reshaped = known ? Reshaped(trace, label, *in, *out) : ChannelLabel();
  if (reshaped.space == kNoSpace) {
    return trace.PinInput(id, 0, "cuts them in a way that can't be followed");
  }
  trace.Set(node.outputs[0], reshaped);
}

void TraceExpand(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[0];
  const int64_t shift = RankOf(graph, node.outputs[0]) - RankOf(graph, value);
  ChannelLabel label;
  if (const Tensor* constant = graph.ConstantInput(node, 0)) {  // a class token, repeated for every image
    const int64_t last = constant->rank() - 1;
    if (last < 0 || constant->dim(last) < 2 || constant->dim(last) != trace.DimOf(node.outputs[0], last + shift))
      return;
    label = {trace.spaces().Add(constant->dim(last)), {last}};
    trace.Bind({id, 0, ChannelBinding::Role::kVector, label});
  } else if (const ChannelLabel* found = trace.Of(value)) {
    label = *found;
  } else {
    return;
  }
  for (int64_t& axis : label.axes) {
    const bool kept = trace.DimOf(value, axis) == trace.DimOf(node.outputs[0], axis + shift);
    if (!kept) return trace.Pin(value, ChannelTrace::NameOf(node) + " repeats them");
    axis += shift;
  }
  trace.Set(node.outputs[0], label);
}

}  // namespace tamis
