// int8 products (src/ops/op_quantized.h): what their kernels share. Sums are exact in int32; the rest is f32.
#pragma once

#include "src/kernels/kernel.h"
#include "src/kernels/quantized/affine_table.h"
#include "src/kernels/quantized/code_table.h"
#include "src/kernels/quantized/code_type.h"
#include "src/ops/op_quantized.h"
#include "src/ops/op_window.h"

namespace tamis {

// Neighbouring channels of one row of sums, on their way to y.
struct QuantizedRow {
  const int32_t* sums;
  const float* scale;
  const float* bias;  // may be null
  float factor;       // multiplies every scale
  const void* residual;
  void* y;
  int64_t at;  // of the first channel in residual and y
  int64_t count;
};

// From sums to results: y = table(code(activation(factor * scale * sum + bias + residual))).
struct QuantizedResult {
  Epilogue activation;
  DType dtype = DType::kFloat32;
  CodeType y_type = CodeType::kFloat32, residual_type = CodeType::kFloat32;
  float y_scale = 1, y_zero = 0;
  float residual_scale = 1, residual_zero = 0;
  // The activation as bounds of the codes, where it is one that only bounds.
  bool bounds_only = false;
  int lowest = 0, highest = 0;
  std::shared_ptr<const CodeTable> table;  // null if the node has none
  std::optional<AffineTable> affine;       // the same, where it is a line and the activation only bounds
  LookupFunction lookup = nullptr;         // the best there is

  // By the best instructions there are. `row.residual` is null if the node has none.
  void Write(const QuantizedRow& row) const {
    write(*this, row);
    if (table != nullptr) Exchange(static_cast<uint8_t*>(row.y) + row.at, row.count);
  }
  // The last step where the activation only bounds: `affine`, or y's zero point and bounds where the table is no line.
  AffineTable ToCodes() const;
  // Codes of y, before the table, as they come out of it.
  void Exchange(uint8_t* y, int64_t count) const { lookup(*table, y, count, y); }
  void (*write)(const QuantizedResult&, const QuantizedRow&) = nullptr;
};
// Of a node whose residual (input 4) has this dtype, or is omitted (kUndefined).
QuantizedResult ResultOf(const Node& node, DType residual = DType::kUndefined);

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
// Checks what QuantizedConv shares with them, the residual included.
Status CheckQuantizedOperands(const Problem& problem, int64_t outputs, int64_t depth);

}  // namespace tamis
