// What only GPUs want of a graph: fewer, larger nodes.
#pragma once

#include "src/ir/graph.h"
#include "tamis/status.h"

namespace tamis {

// On a graph of concrete shapes, before its nodes are tuned or prepared:
//
//   three Linear nodes of one x that feed nothing but one Attention   ->   one Linear with the weights stacked, and
//   PackedAttention qkv[B, S, 3 * H * D], mask? -> [B, S, H * D], attributes as Attention
//
//   Transpose of f32 images to channels last, Cast to f16, ChannelsLastConv of fewer than 8 channels   ->
//   ChannelsFirstConv x[B, C, H, W] (f32), everything else as ChannelsLastConv
//
//   QuantizeLinear of f32 images, Transpose to channels last, QuantizedConv of fewer than 8 channels   ->
//   QuantizedChannelsFirstConv x[B, C, H, W] (f32), everything else as QuantizedConv, with x_scale and x_dtype
//
//   ChannelsFirstConv or QuantizedChannelsFirstConv that only a ChannelsLastMaxPool reads, of windows of 3 x 3 on every
//   other pixel, behind no activation or one that keeps the order of numbers   ->
//   ...ConvPool, inputs and attributes as the convolution's, with conv_shape, pool_kernel, pool_strides and pool_pads
//
//   Pointwise ChannelsLastConv of 64 channels to 256, and one that reads it and gives 64 or 128, all f16, of many rows
//   -> ChainedConv x, w, bias, residual?, w2, bias2? -> y, z, attributes as the first's, and as the second's with
//   second_ before their names
//
//   Cast to f16 of what a product of codes gives, Cast to f32 of what is quantised   ->   nothing: these nodes write
//   and read f16 as well; an Attention of f16 writes f16, and a Cast makes f32 of it where
//   something else than codes is made of it
//
//   DequantizeLinear of codes as the residual of a product of codes   ->   the codes
//
//   Mul by a constant for each index of the last axis that only QuantizeLinear reads, as balancing leaves it   ->
//   QuantizeLinear with a scale for each
//
//   QuantizedLayerNorm as op_quantized.h has it   ->   LayerNormalization and QuantizeLinear, of which, as of others
//
//   LayerNormalization of the last axis that one QuantizeLinear reads   ->
//   QuantizedLayerNorm x, scale, shift?, residual?, factors? -> codes, norm?, with epsilon, y_scale and y_zero_point:
//   the norm of x + residual, times the factors or else 1 / y_scale, rounded; and the norm in f16 or f32 for other
//   readers. x may be f16. The residual is one that the product in front would have added
//
//   PackedAttention that only a QuantizeLinear reads   ->
//   QuantizedPackedAttention qkv, mask?, factors -> codes, attributes as before, and y_zero_point
//
//   Linear that only a LayerNormalization of its rows reads, all f16 or all bf16   ->
//   LinearNorm x, w, bias?, residual?, scale, shift?, attributes as Linear, and epsilon
//
//   Gather of rows of a constant table, constants added, LayerNormalization, all f32, and a Cast to f16 if any   ->
//   EmbeddingNorm table, indices, addend?, scale, shift?, with epsilon
//
//   Attention of f32   ->   Mul, MatMul, Add, Softmax, MatMul and what moves heads: kernels of whole attentions compute
//   in f16, bf16 and, where the node allows it, tf32
//
//   Linear that may round its operands to float8 (src/ops/op_float8.h), on GPUs that multiply such numbers   ->
//   QuantizeLinear of x, and Float8Linear codes of x, codes of the weight, scale[N], bias?, residual? -> y, attributes
//   as Linear: y = act(scale[n] * (codes of x . codes of the weight) + bias + residual), in f16, bf16 or f32
//
// New nodes are named after what they replace, so that a plan made for one copy of the graph fits another.
//
// `compute`: of the GPU, 90 for compute capability 9.0.
Status FuseForCuda(Graph& graph, int compute = 90);

}  // namespace tamis
