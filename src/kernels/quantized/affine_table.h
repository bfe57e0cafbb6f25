// Tables that are a straight line between two bounds: what a Clip or a Relu leaves that stands between two
// quantisations, as ONNX Runtime writes networks whose bounds are no attributes. They are computed where the codes are
// made: a rounding and a product a number instead of some two operations a code.
#pragma once

#include <optional>

#include "src/kernels/quantized/code_table.h"

namespace tamis {

// table(code) = clamp(round((code - zero) * factor) + offset, lowest, highest), rounding ties to even.
struct AffineTable {
  float factor = 1;  // positive
  int offset = 0;
  int lowest = 0, highest = 0;
};

// `dtype` of the codes on either side, their zero point on this side, and the least and the greatest that occurs. Every
// code between is tried; null if one comes out otherwise, or the line falls.
std::optional<AffineTable> AsAffine(const CodeTable& table, DType dtype, int zero, int lowest, int highest);

}  // namespace tamis
