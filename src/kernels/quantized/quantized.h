// int8 products (src/ops/op_quantized.h): what their kernels share. Sums are exact in int32; the rest is f32.
#pragma once

#include "src/kernels/kernel.h"
#include "src/ops/op_quantized.h"
#include "src/ops/op_window.h"

namespace tamis {

// From a sum to a result.
struct QuantizedResult {
  Epilogue activation;
  DType dtype = DType::kFloat32;
  float y_scale = 1, y_zero = 0;

  // `count` neighbouring channels: y = f(factor * scale * sums + bias). `bias` may be null.
  void Write(const int32_t* sums, const float* scale, const float* bias, float factor, int64_t count, void* y) const;
};
QuantizedResult ResultOf(const Node& node);

// A product as rows: y[rows, outputs] from x[rows, depth], whatever the leading dimensions.
struct QuantizedShape {
  int64_t rows = 0, outputs = 0, depth = 0;
  DType x = DType::kUndefined;
};
// QuantizedLinear and DynamicQuantizedLinear. Sums of more than 2^15 products might leave int32: refused.
Result<QuantizedShape> ReadQuantizedLinear(const Problem& problem);
// A convolution over channels-last x.
struct QuantizedConvShape {
  int64_t batch = 1, channels = 0, outputs = 0, group = 1;  // channels and outputs of all groups
  WindowGeometry geometry;
};
Result<QuantizedConvShape> ReadQuantizedConv(const Problem& problem);
// Checks what QuantizedConv shares with them.
Status CheckQuantizedOperands(const Problem& problem, int64_t outputs, int64_t depth);

// DynamicQuantizeLinear of `count` numbers on the pool.
DynamicScale QuantizeDynamically(const float* x, int64_t count, uint8_t* codes, ThreadPool& pool);

}  // namespace tamis
