// The body of QuantizedResult::Write for the ISA of the including file.
#pragma once

#include "src/kernels/quantized/code_blocks.h"
#include "src/kernels/quantized/store/write_row.h"

namespace tamis {
namespace {

inline void WriteRow(const QuantizedResult& result, const QuantizedRow& row) {
  alignas(64) float values[kCodeBlock], residual[kCodeBlock];
  const bool codes = result.y_type != CodeType::kFloat32;
  const float inverse = codes ? 1.0f / result.y_scale : 1.0f;
  for (int64_t begin = 0; begin < row.count; begin += kCodeBlock) {
    const int64_t count = MinOf(row.count - begin, kCodeBlock);
    const int32_t* sums = row.sums + begin;
    const float* scale = row.scale + begin;
    if (row.bias != nullptr) {
      const float* bias = row.bias + begin;
      for (int64_t i = 0; i < count; ++i) {
        values[i] = row.factor * scale[i] * static_cast<float>(sums[i]) + bias[i];
      }
    } else {
      for (int64_t i = 0; i < count; ++i) values[i] = row.factor * scale[i] * static_cast<float>(sums[i]);
    }
    if (row.residual != nullptr) {
      WidenCodes(result.residual_type, row.residual, row.at + begin, count, result.residual_scale,
                 -result.residual_scale * result.residual_zero, residual);
      for (int64_t i = 0; i < count; ++i) values[i] += residual[i];
    }
    ActivateBlock(result.activation, inverse, values, count);
    NarrowCodes(result.y_type, values, count, codes ? result.y_zero : 0, row.y, row.at + begin);
  }
}

}  // namespace
}  // namespace tamis
