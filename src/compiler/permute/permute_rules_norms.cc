// Norms, reductions and image operators: what looks at several channels at once.
#include <algorithm>
#include <numeric>
#include <optional>

#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

const std::vector<int64_t> kImageChannels = {1};

// For each axis of the label: whether `holds` of it.
template <class F>
std::vector<bool> Where(const ChannelLabel& label, const F& holds) {
  std::vector<bool> flags;
  for (const int64_t axis : label.axes) flags.push_back(holds(axis));
  return flags;
}
bool All(const std::vector<bool>& flags) {
  return std::find(flags.begin(), flags.end(), false) == flags.end();
}
bool None(const std::vector<bool>& flags) {
  return std::find(flags.begin(), flags.end(), true) == flags.end();
}

// Elements along axes that `holds` are worked on together, whatever their order; places along the others are told
// apart where the label has both.
void KeepApartOutside(ChannelTrace& trace, const ChannelLabel& label, ValueId value,
                      const std::vector<bool>& together) {
  if (All(together) || None(together)) return;
  std::vector<bool> outside = together;
  outside.flip();
  trace.BinBy(label, trace.DimsOf(label, value), outside);
}

}  // namespace

void TraceBatchNorm(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const auto others =
      static_cast<int64_t>(node.outputs.size()) - std::count(node.outputs.begin(), node.outputs.end(), kNoValue);
  bool constant = others == 1;
  for (size_t i = 1; i < node.inputs.size(); ++i) constant = constant && graph.ConstantInput(node, i) != nullptr;
  if (label.axes != kImageChannels || !constant) {
    return trace.PinInput(id, 0, "is of a form whose channels are not followed");
  }
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    trace.Bind({id, i, ChannelBinding::Role::kVector, {label.space, {0}}});
  }
  trace.Set(node.outputs[0], label);
}

void TraceGroupNorm(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t channels = trace.spaces().size(label.space);
  bool constant = true;
  for (const size_t i : {size_t{1}, size_t{2}}) constant = constant && graph.ConstantInput(node, i) != nullptr;
  if (label.axes != kImageChannels || !constant) {
    return trace.PinInput(id, 0, "is of a form whose channels are not followed");
  }
  trace.spaces().BinEvenly(label.space, node.Int("num_groups", 1));
  for (const size_t i : {size_t{1}, size_t{2}}) {  // up to opset 20 there is one for each group
    if (graph.ConstantInput(node, i)->NumElements() != channels) continue;
    trace.Bind({id, i, ChannelBinding::Role::kVector, {label.space, {0}}});
  }
  trace.Set(node.outputs[0], label);
}

void TraceLayerNorm(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[0];
  const int64_t rank = RankOf(graph, value), axis = FromFront(node.Int("axis", -1), rank);
  const std::vector<int64_t> dims = trace.DimsOf(label, value);
  const auto normed = Where(label, [&](int64_t a) { return a >= axis; });
  bool known = true;
  for (size_t i = 1; i < node.inputs.size(); ++i) known = known && trace.MeetOperand(id, i, label, dims, rank);
  for (size_t i = 1; i < node.outputs.size(); ++i) known = known && (node.outputs[i] == kNoValue || All(normed));
  if (!known) return trace.PinInput(id, 0, "is of a form whose channels are not followed");
  KeepApartOutside(trace, label, value, normed);
  trace.Set(node.outputs[0], label);
}

void TraceAlongAxis(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[0];
  // Up to opset 12 softmax worked on all axes from `axis` on, which was 1 unless given.
  const bool from_axis_on = node.op != "LpNormalization" && graph.Opset() < 13;
  const int64_t axis = FromFront(node.Int("axis", from_axis_on ? 1 : -1), RankOf(graph, value));
  KeepApartOutside(trace, label, value, Where(label, [&](int64_t a) { return from_axis_on ? a >= axis : a == axis; }));
  trace.Set(node.outputs[0], label);
}

void TraceReduce(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[0];
  const auto axes = ReduceAxes(graph, node);
  if (!axes) return trace.PinInput(id, 0, "reduces axes that are not known");
  const auto reduced = Where(label, [&](int64_t a) { return std::binary_search(axes->begin(), axes->end(), a); });
  KeepApartOutside(trace, label, value, reduced);
  if (!None(reduced)) return;
  if (node.Int("keepdims", 1) == 0) {
    for (int64_t& axis : label.axes) axis -= std::lower_bound(axes->begin(), axes->end(), axis) - axes->begin();
  }
  trace.Set(node.outputs[0], label);
}

void TraceSpatial(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  bool follows = label.axes == kImageChannels && trace.DimOf(node.outputs[0], 1) == trace.spaces().size(label.space);
  for (size_t i = 1; i < node.outputs.size(); ++i) follows = follows && node.outputs[i] == kNoValue;
  if (node.op == "Resize")
    follows = follows && node.String("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  for (size_t i = 1; i < node.inputs.size(); ++i) trace.PinInput(id, i, "reads them");
  if (!follows) {
    return trace.PinInput(id, 0, "is of a form whose channels are not followed");
  }
  trace.Set(node.outputs[0], label);
}

void TracePad(ChannelTrace& trace, NodeId id, ChannelLabel label) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.inputs[0]);
  const auto pads = node.input(1) != kNoValue ? KnownInts(graph, node.input(1)) : node.Ints("pads");
  std::optional<std::vector<int64_t>> axes = std::vector<int64_t>(static_cast<size_t>(rank));
  std::iota(axes->begin(), axes->end(), 0);
  if (node.input(3) != kNoValue) axes = KnownInts(graph, node.input(3));
  bool follows = pads && axes && pads->size() == 2 * axes->size();
  for (size_t i = 0; follows && i < axes->size(); ++i) {
    const int64_t axis = FromFront((*axes)[i], rank);
    if (label.Has(axis)) follows = (*pads)[i] == 0 && (*pads)[i + axes->size()] == 0;
  }
  if (!follows) return trace.PinInput(id, 0, "puts others beside them");
  trace.Set(node.outputs[0], label);
}

}  // namespace tamis
