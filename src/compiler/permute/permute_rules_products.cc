// Products: the weights' output channels are made here, and their input channels are what permuting is for.
#include <algorithm>
#include <numeric>

#include "src/compiler/permute/permute_rules.h"
#include "src/passes/match.h"

namespace tamis {
namespace {

using Role = ChannelBinding::Role;

const Tensor* WeightOf(const ChannelTrace& trace, const Node& node, size_t input, int64_t least_rank) {
  const Tensor* weight = trace.graph().ConstantInput(node, input);
  return weight != nullptr && weight->rank() >= least_rank ? weight : nullptr;
}

// The channels that the product of the weight's axis makes along an axis of the output.
ChannelLabel MakeOutputs(ChannelTrace& trace, NodeId id, size_t input, int64_t weight_axis, int64_t axis) {
  const int64_t count = trace.graph().ConstantInput(trace.graph().node(id), input)->dim(weight_axis);
  if (count < 2) return {};
  const ChannelLabel label = {trace.spaces().Add(count), {axis}};
  trace.Bind({id, input, Role::kOutputs, {label.space, {weight_axis}}});
  return label;
}

// The weight's axis that runs over the channels of `value` along `axis`. True if it has channels along other axes
// alone: these pass through.
bool BindInputs(ChannelTrace& trace, NodeId id, ValueId value, int64_t axis, size_t input, int64_t weight_axis) {
  const ChannelLabel* label = trace.Of(value);
  if (label == nullptr) return false;
  if (label->axes == std::vector<int64_t>{axis}) {
    trace.Bind({id, input, Role::kInputs, {label->space, {weight_axis}}});
    return false;
  }
  if (!label->Has(axis)) return true;
  trace.Pin(value, ChannelTrace::NameOf(trace.graph().node(id)) + " reads them in parts");
  return false;
}

// A product with a weight matrix on one side.
void TraceByMatrix(ChannelTrace& trace, NodeId id, size_t weight_input) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const ValueId value = node.inputs[1 - weight_input];
  const int64_t rank = RankOf(graph, value);
  if (rank < 2) return trace.PinInputs(id, "has operands of unknown shapes");
  const bool right = weight_input == 1;
  const bool carried = BindInputs(trace, id, value, right ? rank - 1 : rank - 2, weight_input, right ? 0 : 1);
  if (carried) return trace.Set(node.outputs[0], ChannelLabel(*trace.Of(value)));
  trace.Set(node.outputs[0], MakeOutputs(trace, id, weight_input, right ? 1 : 0, right ? rank - 1 : rank - 2));
}

// One operand of a product of two activations, seen from the result: its axes, with the one that is summed over as -1.
struct Factor {
  ValueId value = kNoValue;
  int64_t shift = 0, summed = 0;
  const ChannelLabel* label = nullptr;

  bool Sums() const { return label != nullptr && label->Has(summed); }
  std::vector<int64_t> Axes() const {
    std::vector<int64_t> axes = label->axes;
    for (int64_t& axis : axes) axis = axis == summed ? -1 : axis + shift;
    return axes;
  }
};

// Both are summed over channels, queries and keys of heads for instance: these are tied, and stay within their head.
bool TieSummed(ChannelTrace& trace, const Factor& a, const Factor& b) {
  if (!a.Sums() || !b.Sums()) return false;
  const std::vector<int64_t> axes_a = a.Axes(), axes_b = b.Axes();
  const std::vector<int64_t> dims_a = trace.DimsOf(*a.label, a.value), dims_b = trace.DimsOf(*b.label, b.value);
  if (axes_a.size() != axes_b.size()) return false;
  std::vector<size_t> place;  // in b of a's axes
  for (size_t i = 0; i < axes_a.size(); ++i) {
    const auto found = std::find(axes_b.begin(), axes_b.end(), axes_a[i]);
    if (found == axes_b.end()) return false;
    place.push_back(static_cast<size_t>(found - axes_b.begin()));
    if (dims_a[i] != dims_b[place.back()]) return false;
  }
  ChannelSpaces::Pairs pairs;
  ForCoordinates(dims_a, [&](int64_t flat, std::span<const int64_t> at) {
    std::vector<int64_t> turned(at.size());
    for (size_t i = 0; i < at.size(); ++i) turned[place[i]] = at[i];
    pairs.emplace_back(static_cast<int32_t>(flat), static_cast<int32_t>(FlatIndex(dims_b, turned)));
  });
  trace.spaces().Relate(a.label->space, b.label->space, std::move(pairs));
  for (const Factor* factor : {&a, &b}) {
    std::vector<bool> batch;
    for (const int64_t axis : factor->Axes()) batch.push_back(axis != -1);
    trace.BinBy(*factor->label, trace.DimsOf(*factor->label, factor->value), batch);
  }
  return true;
}

// Channels that are not summed over are the result's; along axes that both operands have they stay in their place.
ChannelLabel Carry(ChannelTrace& trace, const Factor& from, const Factor& other, int64_t rank) {
  ChannelLabel label = {from.label->space, from.Axes()};
  const std::vector<int64_t> dims = trace.DimsOf(*from.label, from.value);
  std::vector<bool> shared;
  for (const int64_t axis : label.axes) {
    const int64_t theirs = axis - other.shift;
    shared.push_back(axis < rank - 2 && theirs >= 0 && trace.DimOf(other.value, theirs) != 1);
  }
  if (std::find(shared.begin(), shared.end(), true) != shared.end()) trace.BinBy(*from.label, dims, shared);
  return label;
}

void TraceActivations(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.outputs[0]);
  Factor factors[2];
  for (size_t i = 0; i < 2; ++i) {
    const int64_t own = RankOf(graph, node.inputs[i]);
    if (own < 2 || rank < own) return trace.PinInputs(id, "has operands of unknown shapes");
    factors[i] = {node.inputs[i], rank - own, i == 0 ? own - 1 : own - 2, trace.Of(node.inputs[i])};
  }
  const bool tied = TieSummed(trace, factors[0], factors[1]);
  ChannelLabel result;
  for (const size_t i : {size_t{1}, size_t{0}}) {
    const Factor& factor = factors[i];
    if (factor.label == nullptr || (tied && factor.Sums())) continue;
    if (factor.Sums()) {
      trace.Pin(factor.value, ChannelTrace::NameOf(node) + " sums over them against what can't move");
    } else if (result.space != kNoSpace) {
      trace.Pin(factor.value, ChannelTrace::NameOf(node) + " makes pairs of them and other channels");
    } else {
      result = Carry(trace, factor, factors[1 - i], rank);
    }
  }
  trace.Set(node.outputs[0], result);
}

}  // namespace

void TraceMatMul(ChannelTrace& trace, NodeId id) {
  const Node& node = trace.graph().node(id);
  for (const size_t weight_input : {size_t{1}, size_t{0}}) {
    const Tensor* weight = trace.graph().ConstantInput(node, weight_input);
    if (weight == nullptr) continue;
    if (weight->rank() == 2) return TraceByMatrix(trace, id, weight_input);
    return trace.PinInputs(id, "has a constant operand that is no matrix");
  }
  TraceActivations(trace, id);
}

void TraceGemm(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const bool turned = node.Int("transB", 0) != 0;
  if (WeightOf(trace, node, 1, 2) == nullptr || node.Int("transA", 0) != 0) {
    return trace.PinInputs(id, "is of a form whose channels are not followed");
  }
  const bool carried = BindInputs(trace, id, node.inputs[0], 1, 1, turned ? 1 : 0);
  if (carried) trace.PinInput(id, 0, "keeps them as rows");
  const ChannelLabel label = MakeOutputs(trace, id, 1, turned ? 0 : 1, 1);
  if (label.space == kNoSpace) return;
  const std::vector<int64_t> dims = {trace.spaces().size(label.space)};
  if (!trace.MeetOperand(id, 2, label, dims, 2)) {
    return trace.spaces().Pin(label.space, ChannelTrace::NameOf(node) + " has a bias of unknown shape");
  }
  trace.Set(node.outputs[0], label);
}

void TraceConv(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const Tensor* weight = WeightOf(trace, node, 1, 3);
  if (weight == nullptr) return trace.PinInputs(id, "has a weight that is computed");
  const ChannelLabel* in = trace.Of(node.inputs[0]);
  if (in != nullptr && in->axes != std::vector<int64_t>{1}) {
    trace.PinInput(id, 0, "reads them as pixels");
    in = nullptr;
  }
  const int64_t groups = node.Int("group", 1), outputs = weight->dim(0), width = weight->dim(1);
  ChannelLabel out;
  if (groups > 1 && width == 1) {  // each output has one input, and moves with it
    if (in == nullptr) return;
    const int64_t each = outputs / groups;
    out = {each == 1 ? in->space : trace.spaces().Add(outputs), {1}};
    trace.Bind({id, 1, Role::kOutputs, {out.space, {0}}});
    ChannelSpaces::Pairs pairs;
    for (int32_t o = 0; o < outputs && each > 1; ++o) pairs.emplace_back(o / each, o);
    if (each > 1) trace.spaces().Relate(in->space, out.space, std::move(pairs));
  } else {
    if (in != nullptr) {
      if (groups > 1) trace.spaces().BinEvenly(in->space, groups);
      for (int64_t g = 0; g < groups; ++g) {
        ChannelBinding binding = {id, 1, Role::kInputs, {in->space, {1}}};
        binding.first_row = g * (outputs / groups);
        binding.rows = groups > 1 ? outputs / groups : 0;
        binding.first_channel = static_cast<int32_t>(g * width);
        trace.Bind(binding);
      }
    }
    out = MakeOutputs(trace, id, 1, 0, 1);
    if (out.space == kNoSpace) return;
    if (groups > 1) trace.spaces().BinEvenly(out.space, groups);
  }
  if (node.input(2) != kNoValue) {
    if (graph.value(node.inputs[2]).IsConstant()) {
      trace.Bind({id, 2, Role::kVector, {out.space, {0}}});
    } else {
      trace.spaces().Pin(out.space, ChannelTrace::NameOf(node) + " has a bias that is computed");
    }
  }
  trace.Set(node.outputs[0], out);
}

void TraceConvTranspose(ChannelTrace& trace, NodeId id) {
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const Tensor* weight = WeightOf(trace, node, 1, 3);
  const bool bias = node.input(2) != kNoValue;
  if (weight == nullptr || node.Int("group", 1) != 1 || (bias && !graph.value(node.inputs[2]).IsConstant())) {
    return trace.PinInputs(id, "is of a form whose channels are not followed");
  }
  const bool carried = BindInputs(trace, id, node.inputs[0], 1, 1, 0);
  if (carried) trace.PinInput(id, 0, "reads them as pixels");
  const ChannelLabel out = MakeOutputs(trace, id, 1, 1, 1);
  if (out.space == kNoSpace) return;
  if (bias) trace.Bind({id, 2, Role::kVector, {out.space, {0}}});
  trace.Set(node.outputs[0], out);
}

}  // namespace tamis
