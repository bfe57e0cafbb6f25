// What the int8 operators of domain "tamis" share. The products:
//
//   QuantizedLinear  x[..., K] (u8 or s8), weight[N, K] (s8), scale[N] (f32), bias[N]? (f32), residual? (like y: u8, s8
//                    or f32) -> y[..., N]
//                    v = activation(scale[n] * sum_k (x - x_zero_point) * weight + bias[n]
//                                   + residual_scale * (residual - residual_zero_point))
//   QuantizedConv    x[B, spatial..., C], weight[O, spatial..., C/group]: likewise; padding counts as x_zero_point;
//                    attributes strides, pads, dilations, group, all explicit
//   DynamicQuantizedLinear   x[..., K] (f32), weight, scale, bias as above -> y (f32): x is quantised to u8 as ONNX's
//                    DynamicQuantizeLinear does it, and its scale multiplies the weight's; no residual
//
// and what lies between them, so that activations stay codes:
//
//   QuantizedLookup  x (u8 or s8) -> y: attribute table, 256 codes of y_dtype, the first for the code whose byte is 0.
//                    Any function of one quantised value, or of several that come from the same one
//   QuantizedBinary  a, b (u8, s8 or f32, broadcast) -> v = activation(function(a_scale * (a - a_zero_point), likewise
//                    b)); attribute function: "Add" or "Mul". Scale and zero point of an f32 operand are 1 and 0
//   QuantizedGlobalAveragePool   x[B, spatial..., C] (u8 or s8) -> [B, 1..., C]: v = x_scale * (mean(x) - x_zero_point)
//   QuantizedLayerNorm   x, scale, bias? (f32) -> like x: v = ONNX's LayerNormalization of them, attributes axis and
//                    epsilon; always quantised. (GPUs have another form of it, src/cuda/fuse_for_cuda.h.)
//
// ChannelsLastMaxPool, Concat and whatever else only moves codes takes them as they are.
//
// Attributes: x_zero_point; activation, clip_min and clip_max as of Linear; and, where y is quantised, y_dtype (an ONNX
// number, u8 or s8), y_scale and y_zero_point: y = saturate(round to even(v / y_scale) + y_zero_point). Without y_dtype
// y is v in f32. QuantizedLinear and QuantizedConv take a QuantizedLookup behind them as their own attribute table:
// each code of y is then exchanged for table[its byte], of the same dtype.
#pragma once

#include "src/ops/op_epilogue.h"

namespace tamis {

// The activation alone; these nodes' inputs 2 and 3 are no epilogue.
Epilogue QuantizedActivation(const Node& node);
// f32 if y is not quantised.
DType QuantizedOutputDType(const Node& node);
// Adds that the attribute is no code of the dtype; of f32 nothing is wrong.
void CheckZeroPoint(const Node& node, const std::string& name, DType dtype, NodeProblems* problems);
// Checks weight, scale, bias and attributes for so many output channels.
void CheckQuantized(const Operands& operands, const Dim& outputs, NodeProblems* problems);
// Adds what is wrong with the attribute `table`, 256 codes of the dtype.
void CheckTable(const Node& node, DType dtype, NodeProblems* problems);
// Checks the activation, and how y is quantised.
void CheckQuantizedResult(const Node& node, NodeProblems* problems);
// Input 4 of a product with results of this shape: codes with residual_scale, or f32.
void CheckQuantizedResidual(const Operands& operands, const Shape& y, NodeProblems* problems);

// The LayerNormalization whose numbers a QuantizedLayerNorm gives codes of, with the same inputs and output.
Node LayerNormOf(const Node& node);

// One operand of codes, or of f32, as numbers: scale and zero point are the attributes `name`_scale and
// `name`_zero_point.
class CodeReader {
 public:
  CodeReader(const Node& node, const std::string& name, const Tensor* tensor);
  bool Present() const { return tensor_ != nullptr && tensor_->Defined(); }
  double operator()(int64_t index) const;

 private:
  const Tensor* tensor_;
  double scale_ = 1, zero_ = 0;
};

// A value as a code of the node's y.
class CodeWriter {
 public:
  CodeWriter(const Node& node, Tensor& y);
  // Applies the activation first.
  void Write(int64_t index, double value) const;

 private:
  Epilogue epilogue_;
  Tensor& y_;
  double scale_, zero_;
  std::vector<int64_t> table_;
};

// Writes the result of one sum.
class QuantizedWriter {
 public:
  QuantizedWriter(const EvalContext& context, Tensor& y);
  // `factor` multiplies the channel's scale: the scale of x where that is not known before.
  void Write(int64_t index, int64_t channel, double sum, double factor = 1) const;

 private:
  CodeWriter writer_;
  CodeReader residual_;
  const float* scale_;
  const float* bias_;
};

// How DynamicQuantizeLinear maps f32 numbers to u8, in f32 as ONNX has it.
struct DynamicScale {
  float scale = 1;
  uint8_t zero = 0;
  uint8_t Quantized(float x) const;
};
DynamicScale DynamicScaleOf(float lowest, float highest);

}  // namespace tamis
