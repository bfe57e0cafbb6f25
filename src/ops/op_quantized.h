// What the int8 products of domain "tamis" share: QuantizedLinear, QuantizedConv, DynamicQuantizedLinear.
//
//   QuantizedLinear  x[..., K] (u8 or s8), weight[N, K] (s8), scale[N] (f32), bias[N]? (f32) -> y[..., N]
//                    v = activation(scale[n] * sum_k (x - x_zero_point) * weight + bias[n])
//   QuantizedConv    x[B, spatial..., C], weight[O, spatial..., C/group]: likewise; padding counts as x_zero_point;
//                    attributes strides, pads, dilations, group, all explicit
//   DynamicQuantizedLinear   x[..., K] (f32), weight, scale, bias as above -> y (f32): x is quantised to u8 as ONNX's
//                    DynamicQuantizeLinear does it, and its scale multiplies the weight's
//
// Attributes: x_zero_point; activation, clip_min and clip_max as of Linear; and, where y is quantised, y_dtype (an ONNX
// number, u8 or s8), y_scale and y_zero_point: y = saturate(round to even(v / y_scale) + y_zero_point). Without y_dtype
// y is v in f32.
#pragma once

#include "src/ops/op_epilogue.h"

namespace tamis {

// The activation alone; these nodes' inputs 2 and 3 are no epilogue.
Epilogue QuantizedActivation(const Node& node);
// f32 if y is not quantised.
DType QuantizedOutputDType(const Node& node);
// Checks weight, scale, bias and attributes for so many output channels.
void CheckQuantized(const Operands& operands, const Dim& outputs, NodeProblems* problems);

// Writes the result of one sum.
class QuantizedWriter {
 public:
  QuantizedWriter(const EvalContext& context, Tensor& y);
  // `factor` multiplies the channel's scale: the scale of x where that is not known before.
  void Write(int64_t index, int64_t channel, double sum, double factor = 1) const;

 private:
  Epilogue epilogue_;
  Tensor& y_;
  const float* scale_;
  const float* bias_;
  double y_scale_, y_zero_;
};

// How DynamicQuantizeLinear maps f32 numbers to u8, in f32 as ONNX has it.
struct DynamicScale {
  float scale = 1;
  uint8_t zero = 0;
  uint8_t Quantized(float x) const;
};
DynamicScale DynamicScaleOf(float lowest, float highest);

}  // namespace tamis
