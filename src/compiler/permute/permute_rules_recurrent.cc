// Recurrent layers: each hidden channel has a row in every gate, and a column that reads it back in the next step.
#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

using Role = ChannelBinding::Role;

enum Input : size_t { kX, kWeight, kRecurrence, kBias, kLengths, kInitialHidden, kInitialCell, kPeepholes };
enum Output : size_t { kAll, kLastHidden, kLastCell };

// Of the directions and what lies along them; an axis of one direction is not listed.
std::vector<int64_t> WithDirections(int64_t directions, int64_t direction_axis, int64_t axis) {
  return directions > 1 ? std::vector<int64_t>{direction_axis, axis} : std::vector<int64_t>{axis};
}

// A space for `parts` rows of every hidden channel: [directions][parts][hidden].
SpaceId RowsOf(ChannelTrace& trace, SpaceId hidden, int64_t directions, int64_t parts) {
  const auto width = static_cast<int32_t>(trace.spaces().size(hidden) / directions);
  const SpaceId rows = trace.spaces().Add(directions * parts * width);
  ChannelSpaces::Pairs pairs;
  for (int32_t row = 0; row < static_cast<int32_t>(directions * parts) * width; ++row) {
    const int32_t direction = row / (static_cast<int32_t>(parts) * width);
    pairs.emplace_back(direction * width + row % width, row);
  }
  trace.spaces().Relate(hidden, rows, std::move(pairs));
  return rows;
}

// A state that a run begins with.
void MeetState(ChannelTrace& trace, NodeId id, size_t input, const ChannelLabel& state) {
  const Graph& graph = trace.graph();
  const ValueId value = graph.node(id).input(input);
  if (value == kNoValue) return;
  const std::string reason = ChannelTrace::NameOf(graph.node(id)) + " begins with a state that can't move";
  const ChannelLabel* label = trace.Of(value);
  if (label != nullptr && label->axes == state.axes) return trace.spaces().Relate(state.space, label->space);
  trace.Pin(value, reason);
  if (label == nullptr && graph.value(value).IsConstant()) {
    trace.Bind({id, input, Role::kVector, state});
  } else {
    trace.spaces().Pin(state.space, reason);
  }
}

}  // namespace

void TraceRecurrent(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const Tensor* recurrence = graph.ConstantInput(node, kRecurrence);
  const auto computed = [&](size_t input) {
    return node.input(input) != kNoValue && !graph.value(node.inputs[input]).IsConstant();
  };
  if (graph.ConstantInput(node, kWeight) == nullptr || recurrence == nullptr || computed(kBias) ||
      computed(kPeepholes)) {
    return trace.PinInputs(id, "has weights that are computed");
  }
  if (const ChannelLabel* read = trace.Of(node.inputs[kX])) {
    if (read->axes == std::vector<int64_t>{2}) {
      trace.Bind({id, kWeight, Role::kInputs, {read->space, {2}}});
    } else {
      trace.PinInput(id, kX, "reads them in parts");
    }
  }
  const int64_t directions = recurrence->dim(0), width = recurrence->dim(2), gates = recurrence->dim(1) / width;
  if (directions * width < 2) return;
  const SpaceId hidden = trace.spaces().Add(directions * width);
  trace.spaces().BinEvenly(hidden, directions);
  const SpaceId rows = RowsOf(trace, hidden, directions, gates);
  for (const size_t input : {kWeight, kRecurrence}) {
    trace.Bind({id, input, Role::kOutputs, {rows, WithDirections(directions, 0, 1)}});
  }
  trace.Bind({id, kRecurrence, Role::kOutputs, {hidden, WithDirections(directions, 0, 2)}});
  for (const auto& [input, parts] : {std::pair<size_t, int64_t>{kBias, 2 * gates}, {kPeepholes, 3}}) {
    if (node.input(input) == kNoValue) continue;
    trace.Bind(
        {id, input, Role::kVector, {RowsOf(trace, hidden, directions, parts), WithDirections(directions, 0, 1)}});
  }
  const bool batch_first = node.Int("layout", 0) != 0;
  const ChannelLabel state = {hidden, WithDirections(directions, batch_first ? 1 : 0, 2)};
  for (const size_t input : {kInitialHidden, kInitialCell}) MeetState(trace, id, input, state);
  const auto set = [&](size_t output, const ChannelLabel& label) {
    if (output < node.outputs.size()) trace.Set(node.outputs[output], label);
  };
  set(kAll, {hidden, WithDirections(directions, batch_first ? 2 : 1, 3)});
  set(kLastHidden, state);
  set(kLastCell, state);
}

}  // namespace tamis
