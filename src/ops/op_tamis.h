// The operators of domain "tamis": what passes make and kernels run. All of them are channels-last.
//
//   Linear            x[..., K], weight[N, K], bias[N]?, residual[..., N]?  ->  y[..., N]
//                     y = act(x . weight^T + bias + residual)
//   ChannelsLastConv  x[B, spatial..., C], weight[O, spatial..., C/group], bias[O]?, residual[like y]?
//                     -> y[B, spatial'..., O]; attributes strides, pads (ONNX order), dilations, group, all explicit
//   ChannelsLastMaxPool, ChannelsLastAveragePool
//                     x[B, spatial..., C]; attributes as ONNX MaxPool / AveragePool, pads explicit
//   ChannelsLastGlobalAveragePool   x[B, spatial..., C] -> [B, 1..., C]
//   ChannelsLastGroupNorm   x[B, spatial..., C], scale[C], bias[C] (f32) -> like x: channels in num_groups groups, each
//   to
//                     mean 0 and variance 1; attributes num_groups, epsilon, activation (not "Clip")
//   Attention         q[B, S, H*D], k[B, T, H*D], v[B, T, H*E], mask? (added to the scores; broadcasts to [B, H, S, T])
//                     -> [B, S, H*E]; softmax(scale * q . k^T + mask) . v per head; attributes num_heads, scale
//                     Each of q, k and v may also be [B, H, S, D]. kv_heads (absent: num_heads) heads of k and v serve
//                     num_heads / kv_heads heads of q each. causal = 1: query s sees the keys up to s + causal_offset.
//                     zero_masked = 1: a row whose every score is -infinity gives 0, not NaN
//   MaskedMean        x[B, S, C], mask[B, S] (any number type) -> [B, C]: sum_s(x * mask) / max(sum_s(mask), epsilon);
//                     attribute epsilon
//   L2Normalize       x[..., C] -> x / max(|x|_2, epsilon) along the last axis; attribute epsilon
//
// Linear and ChannelsLastConv share the epilogue: bias first, then residual, then the activation. The activation is the
// attribute "activation", one of the names below ("" = none); Clip takes attributes "clip_min" and "clip_max".
// Float operators of this domain take f32, bf16 or f16 operands and write the dtype of attribute "output_dtype" (an
// ONNX number; absent: the dtype of x). Bias is always f32. Accumulation is f32 in kernels, double in the reference.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/ir/graph.h"
#include "src/ops/activation.h"

namespace tamis {

std::string_view Name(Activation activation);
// nullopt if the name is unknown.
std::optional<Activation> ActivationFromName(std::string_view name);

struct Epilogue {
  bool bias = false;
  bool residual = false;
  Activation activation = Activation::kNone;
  float clip_min = 0;
  float clip_max = 0;
};
// Reads the epilogue of a Linear or ChannelsLastConv node: inputs 2 and 3 and the attributes.
Epilogue EpilogueOf(const Node& node);
// The activation's value in double, for references.
double Apply(const Epilogue& epilogue, double x);

}  // namespace tamis
