// Products: the weights' output channels are made here, and their input channels are what permuting is for.
#include <array>
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

// Both operands are activations.
void TraceActivations(ChannelTrace& trace, NodeId id) {
  constexpr int kSummed = -1;
  const Graph& graph = trace.graph();
  const Node& node = graph.node(id);
  const int64_t rank = RankOf(graph, node.outputs[0]);
  std::array<std::vector<int>, 2> operands;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t own = RankOf(graph, node.inputs[i]);
    if (own < 2 || rank < own) return trace.PinInputs(id, "has operands of unknown shapes");
    operands[i].resize(static_cast<size_t>(own));
    std::iota(operands[i].begin(), operands[i].end(), static_cast<int>(rank - own));
    operands[i][static_cast<size_t>(i == 0 ? own - 1 : own - 2)] = kSummed;
  }
  std::vector<int> output(static_cast<size_t>(rank));
  std::iota(output.begin(), output.end(), 0);
  TraceContraction(trace, id, operands, output);
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
