// Parts and wholes: slices, splits, lookups and concatenations.
#include <algorithm>
#include <numeric>
#include <optional>

#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

// The channels at these places along one axis of `value`, as channels along the same axis of a new value. With `drop`
// there is one place, and its axis goes.
ChannelLabel TakePlaces(ChannelTrace& trace, const ChannelLabel& label, std::span<const int64_t> dims, int64_t axis,
                        std::span<const int64_t> places, bool drop) {
  const size_t at = label.PlaceOf(axis);
  std::vector<int64_t> taken(dims.begin(), dims.end());
  taken[at] = static_cast<int64_t>(places.size());
  ChannelSpaces::Pairs pairs;
  ForCoordinates(taken, [&](int64_t flat, std::span<const int64_t> coordinates) {
    std::vector<int64_t> source(coordinates.begin(), coordinates.end());
    source[at] = places[static_cast<size_t>(source[at])];
    pairs.emplace_back(static_cast<int32_t>(FlatIndex(dims, source)), static_cast<int32_t>(flat));
  });
  ChannelLabel part = {trace.spaces().Add(static_cast<int64_t>(pairs.size())), label.axes};
  trace.spaces().Relate(label.space, part.space, std::move(pairs));
  if (places.size() == 1) part.axes.erase(part.axes.begin() + static_cast<int64_t>(at));
  if (drop) {
    for (int64_t& other : part.axes) other -= other > axis;
  }
  return part;
}

std::vector<int64_t> Range(int64_t begin, int64_t count, int64_t step) {
  std::vector<int64_t> places(static_cast<size_t>(std::max<int64_t>(0, count)));
  for (size_t i = 0; i < places.size(); ++i) places[i] = begin + static_cast<int64_t>(i) * step;
  return places;
}

struct SliceAxis {
  int64_t axis = 0, begin = 0, step = 1, count = 0;
};

// How a Slice cuts the axes of the label; nullopt if that is not known. Other axes may be cut at run time.
std::optional<std::vector<SliceAxis>> SlicedAxes(const ChannelTrace& trace, const Node& node,
                                                 const ChannelLabel& label) {
  const Graph& graph = trace.graph();
  const int64_t rank = RankOf(graph, node.inputs[0]);
  const bool attributes = node.inputs.size() == 1;
  const auto list = [&](size_t input, const char* attribute) -> std::optional<std::vector<int64_t>> {
    if (attributes) return node.Ints(attribute);
    return node.input(input) == kNoValue ? std::vector<int64_t>() : KnownInts(graph, node.input(input));
  };
  auto axes = list(3, "axes");
  if (!axes) return std::nullopt;
  if (axes->empty()) {
    axes->resize(static_cast<size_t>(rank));
    std::iota(axes->begin(), axes->end(), 0);
  }
  const auto starts = list(1, "starts");
  auto steps = attributes ? std::vector<int64_t>() : list(4, "");
  std::vector<SliceAxis> cuts;
  for (size_t i = 0; i < axes->size(); ++i) {
    const int64_t axis = FromFront((*axes)[i], rank);
    if (!label.Has(axis)) continue;
    if (!starts || !steps || i >= starts->size()) return std::nullopt;
    SliceAxis cut;
    cut.axis = axis;
    cut.step = steps->empty() ? 1 : (*steps)[i];
    cut.count = trace.DimOf(node.outputs[0], axis);
    const int64_t dim = trace.DimOf(node.inputs[0], axis);
    const int64_t start = (*starts)[i] < 0 ? (*starts)[i] + dim : (*starts)[i];
    cut.begin = std::clamp<int64_t>(start, 0, cut.step > 0 ? dim : dim - 1);
    if (cut.count < 1) return std::nullopt;
    cuts.push_back(cut);
  }
  return cuts;
}

}  // namespace

void TraceSlice(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  ChannelLabel label;
  if (const Tensor* table = graph.ConstantInput(node, 0)) {  // of positions, cut to the length of the text
    const int64_t last = table->rank() - 1;
    if (last < 0 || !IsFloat(table->dtype()) || table->dim(last) < 2) return;
    label = {trace.spaces().Add(table->dim(last)), {last}};
    const auto cuts = SlicedAxes(trace, node, label);
    if (!cuts || !cuts->empty()) return;  // the space stays unused
    trace.Bind({id, 0, ChannelBinding::Role::kVector, label});
    return trace.Set(node.outputs[0], label);
  }
  const ChannelLabel* found = trace.Of(node.inputs[0]);
  if (found == nullptr) return;
  label = *found;
  const auto cuts = SlicedAxes(trace, node, label);
  if (!cuts) return trace.PinInput(id, 0, "cuts them at places that are not known");
  std::vector<int64_t> dims = trace.DimsOf(label, node.inputs[0]);
  for (const SliceAxis& cut : *cuts) {
    const size_t at = label.PlaceOf(cut.axis);
    label = TakePlaces(trace, label, dims, cut.axis, Range(cut.begin, cut.count, cut.step), false);
    dims[at] = cut.count;
    if (cut.count == 1) dims.erase(dims.begin() + static_cast<int64_t>(at));
  }
  trace.Set(node.outputs[0], label);
}

void TraceSplit(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Node& node = trace.graph().node(id);
  const int64_t axis = FromFront(node.Int("axis", 0), RankOf(trace.graph(), node.inputs[0]));
  if (!label.Has(axis)) {
    for (const ValueId output : node.outputs) trace.Set(output, label);
    return;
  }
  int64_t begin = 0;
  for (const ValueId output : node.outputs) {
    const int64_t count = output == kNoValue ? -1 : trace.DimOf(output, axis);
    if (count < 1) {
      return trace.PinInput(id, 0, "cuts them at places that are not known");
    }
    trace.Set(output,
              TakePlaces(trace, label, trace.DimsOf(label, node.inputs[0]), axis, Range(begin, count, 1), false));
    begin += count;
  }
}

void TraceConcat(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.outputs[0]);
  const auto first =
      std::find_if(node.inputs.begin(), node.inputs.end(), [&](ValueId v) { return trace.Of(v) != nullptr; });
  if (first == node.inputs.end()) return;
  const ChannelLabel label = *trace.Of(*first);
  const int64_t axis = FromFront(node.Int("axis", 0), rank);
  bool alike = rank >= 0;
  for (const ValueId input : node.inputs) {
    alike = alike && (trace.Of(input) == nullptr || trace.Of(input)->axes == label.axes);
  }
  if (!alike) return trace.PinInputs(id, "joins channels along different axes");
  const std::vector<int64_t> dims = trace.DimsOf(label, *first);
  if (!label.Has(axis)) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!trace.MeetOperand(id, i, label, dims, rank)) return trace.PinInputs(id, "has operands of unknown shapes");
    }
    return trace.Set(node.outputs[0], label);
  }
  const size_t at = label.PlaceOf(axis);
  std::vector<int64_t> whole = dims;
  whole[at] = trace.DimOf(node.outputs[0], axis);
  for (const ValueId input : node.inputs) {
    if (whole[at] < 1 || trace.DimOf(input, axis) < 1) return trace.PinInputs(id, "has operands of unknown shapes");
  }
  const ChannelLabel out = {trace.spaces().Add(NumElements(whole)), label.axes};
  int64_t begin = 0;
  for (const ValueId input : node.inputs) {
    std::vector<int64_t> part = dims;
    part[at] = trace.DimOf(input, axis);
    ChannelSpaces::Pairs pairs;
    std::vector<int32_t> places;
    ForCoordinates(part, [&](int64_t flat, std::span<const int64_t> coordinates) {
      std::vector<int64_t> moved(coordinates.begin(), coordinates.end());
      moved[at] += begin;
      places.push_back(static_cast<int32_t>(FlatIndex(whole, moved)));
      pairs.emplace_back(static_cast<int32_t>(flat), places.back());
    });
    begin += part[at];
    if (const ChannelLabel* own = trace.Of(input)) {
      trace.spaces().Relate(own->space, out.space, std::move(pairs));
    } else {
      trace.spaces().Pin(out.space, places, ChannelTrace::NameOf(node) + " takes them from what has no channels");
    }
  }
  trace.Set(node.outputs[0], out);
}

void TraceGather(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[0];
  const int64_t rank = RankOf(graph, value), index_rank = RankOf(graph, node.inputs[1]);
  const int64_t axis = FromFront(node.Int("axis", 0), rank);
  trace.PinInput(id, 1, "looks them up");
  ChannelLabel label;
  if (const Tensor* table = graph.ConstantInput(node, 0)) {  // an embedding
    const int64_t last = table->rank() - 1;
    if (index_rank < 0 || last < 1 || axis == last || !IsFloat(table->dtype()) || table->dim(last) < 2) return;
    label = {trace.spaces().Add(table->dim(last)), {last}};
    trace.Bind({id, 0, ChannelBinding::Role::kOutputs, label});
  } else if (const ChannelLabel* found = trace.Of(value)) {
    label = *found;
  } else {
    return;
  }
  const std::string why = ChannelTrace::NameOf(node) + " looks them up at places that are not known";
  if (rank < 0 || index_rank < 0) return trace.Pin(value, why);
  if (!label.Has(axis)) {
    for (int64_t& other : label.axes) other += other > axis ? index_rank - 1 : 0;
    return trace.Set(node.outputs[0], label);
  }
  const Tensor* indices = graph.ConstantInput(node, 1);
  if (indices == nullptr || index_rank > 1) return trace.Pin(value, why);
  const std::vector<int64_t> dims = trace.DimsOf(label, value);
  const int64_t count = trace.DimOf(value, axis);
  std::vector<int64_t> places = indices->ToInt64s();
  for (int64_t& place : places) {
    place = FromFront(place, count);
    if (place < 0 || place >= count) return trace.Pin(value, why);
  }
  if (places.empty()) return trace.Pin(value, why);
  trace.Set(node.outputs[0], TakePlaces(trace, label, dims, axis, places, index_rank == 0));
}

void TraceGatherND(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ChannelLabel* found = trace.Of(node.inputs[0]);
  trace.PinInput(id, 1, "looks them up");
  if (found == nullptr) return;
  ChannelLabel label = *found;
  const int64_t index_rank = RankOf(graph, node.inputs[1]), looked_up = trace.DimOf(node.inputs[1], index_rank - 1);
  const int64_t first_kept = node.Int("batch_dims", 0) + looked_up;
  const bool known = index_rank > 0 && looked_up >= 0;
  for (int64_t& axis : label.axes) {
    if (!known || axis < first_kept) {
      return trace.PinInput(id, 0, "looks them up at places that are not known");
    }
    axis += index_rank - 1 - first_kept;
  }
  trace.Set(node.outputs[0], label);
}

}  // namespace tamis
