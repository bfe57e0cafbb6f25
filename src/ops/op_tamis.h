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
//                     mean 0 and variance 1; attributes num_groups, epsilon, activation (one without parameters)
//   Attention         q[B, S, H*D], k[B, T, H*D], v[B, T, H*E], mask? (added to the scores; broadcasts to [B, H, S, T])
//                     -> [B, S, H*E]; softmax(scale * q . k^T + mask) . v per head; attributes num_heads, scale
//                     Each of q, k and v may also be [B, H, S, D]. kv_heads (absent: num_heads) heads of k and v serve
//                     num_heads / kv_heads heads of q each. causal = 1: query s sees the keys up to s + causal_offset,
//                     windowed = 1: from s + window_offset on; with from_end = 1 both offsets count from the number of
//                     keys less that of queries. softcap c > 0: scores are c * tanh(scale * q . k^T / c) + mask.
//                     zero_masked = 1: a row whose every score is -infinity gives 0, not NaN. mean_masked = 1: a row
//                     whose every visible score is below -1e29 gives the mean of all values. {q,k,v}_scale and
//                     {q,k,v}_zero_point, of a quantised network, let kernels round the three to such codes of u8
//   Rotary            x[B, S, H*D] or [B, H, S, D], cos, sin ([B or 1, S, W] or [S, W], f32) -> like x: of each head
//   the
//                     first rotary_dim elements R are turned in pairs, (d, d + R/2) or, interleaved = 1, (2d, 2d + 1);
//                     attributes num_heads, rotary_dim. W is R/2, an angle a pair, or R, where each element finds its
//                     own in its column: (a, b) becomes (a cos_a - b sin_a, b cos_b + a sin_b)
//   ElementwiseChain  1 to 3 inputs that broadcast together -> their common shape: the steps of op_chain.h, one after
//                     the other for each element; attributes steps (names), operands (two a step: inputs are 0, 1, ...,
//                     steps follow them), parameters (alpha, beta, gamma of each step)
//   MaskedMean        x[B, S, C], mask[B, S] (any number type) -> [B, C]: sum_s(x * mask) / max(sum_s(mask), epsilon);
//                     attribute epsilon
//   L2Normalize       x[..., C] -> x / max(|x|_2, epsilon) along the last axis; attribute epsilon
//
// Linear and ChannelsLastConv share the epilogue: bias first, then residual, then the activation. The activation is the
// attribute "activation", a name of activation.h ("" = none); Clip takes attributes "clip_min" and "clip_max", those
// with alpha and beta take "alpha" and "beta". Float operators of this domain take f32, bf16 or f16 operands and write
// the dtype of attribute "output_dtype" (an ONNX number; absent: the dtype of x). Bias is always f32. Accumulation is
// f32 in kernels, double in the reference.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/ir/graph.h"
#include "src/ops/activation.h"

namespace tamis {

std::string_view Name(Activation activation);
// nullopt if the name is unknown.
std::optional<Activation> ActivationFromName(std::string_view name);
// Whether it has limits, or alpha and beta.
bool HasParameters(Activation activation);

struct Epilogue {
  bool bias = false;
  bool residual = false;
  Activation activation = Activation::kNone;
  float clip_min = 0;
  float clip_max = 0;
  float alpha = 0;
  float beta = 0;
};
// Reads the epilogue of a Linear or ChannelsLastConv node: inputs 2 and 3 and the attributes.
Epilogue EpilogueOf(const Node& node);
// Which keys a query of an Attention node sees: query s those from s + first to s + last.
struct AttentionSight {
  int64_t first = 0, last = 0;
};
AttentionSight SightOf(const Node& node, int64_t queries, int64_t keys);
// Takes off an Attention node what lets kernels round q, k and v: the attributes {q,k,v}_scale and {q,k,v}_zero_point.
void ForbidCodes(Node* attention);
// Scores below this are hidden, see mean_masked.
constexpr float kMeanMasked = -1e29f;

// The activation's value in double, for references.
double Apply(const Epilogue& epilogue, double x);

}  // namespace tamis
