// What operators do to channels: one small function a family, and the table from operators to functions.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "src/compiler/permute/permute_trace.h"

namespace tamis {

// Called for a node with at least one input that has channels, or whose function makes some. It labels the outputs and
// says what holds; a value that it leaves alone has no channels. Channels it can't follow it pins.
using ChannelRule = void (*)(ChannelTrace& trace, NodeId id);

// An axis that may be counted from the back.
inline int64_t FromFront(int64_t axis, int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

// nullptr if nothing is known of the operator.
ChannelRule FindChannelRule(const Node& node);

// Element by element, with broadcasting.
void TraceElementwise(ChannelTrace& trace, NodeId id);
// The first input element by element; others say how, not along which axis.
void TraceUnary(ChannelTrace& trace, NodeId id, ChannelLabel label);
// Nothing of the elements passes on: Shape, Size.
void TraceNothing(ChannelTrace& trace, NodeId id);
// Products.
void TraceConv(ChannelTrace& trace, NodeId id);
void TraceConvTranspose(ChannelTrace& trace, NodeId id);
void TraceMatMul(ChannelTrace& trace, NodeId id);
void TraceGemm(ChannelTrace& trace, NodeId id);
void TraceEinsum(ChannelTrace& trace, NodeId id);
// Of the first two inputs, both activations. Letters stand for axes, of the operands and of the result, as in Einsum:
// what the result lacks is summed.
void TraceContraction(ChannelTrace& trace, NodeId id, const std::array<std::vector<int>, 2>& operands,
                      const std::vector<int>& output);
void TraceAttention(ChannelTrace& trace, NodeId id);
void TraceRecurrent(ChannelTrace& trace, NodeId id);  // LSTM, GRU, RNN
// Norms and reductions.
void TraceBatchNorm(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceGroupNorm(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceLayerNorm(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceAlongAxis(ChannelTrace& trace, NodeId id, ChannelLabel label);  // softmax, lp norm
void TraceReduce(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TracePad(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceSpatial(ChannelTrace& trace, NodeId id, ChannelLabel label);  // image operators that treat channels alike
// Other arrangements of the same elements.
void TraceReshape(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceTranspose(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceExpand(ChannelTrace& trace, NodeId id);
// Parts and wholes.
void TraceSlice(ChannelTrace& trace, NodeId id);
void TraceSplit(ChannelTrace& trace, NodeId id, ChannelLabel label);
void TraceConcat(ChannelTrace& trace, NodeId id);
void TraceGather(ChannelTrace& trace, NodeId id);
void TraceGatherND(ChannelTrace& trace, NodeId id);

}  // namespace tamis
