// Weights as s8 codes, symmetric, with one scale for each output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tamis {

struct WeightCodes {
  std::vector<int8_t> codes;  // [rows][columns], in [-127, 127]; 0 for 0, so that a 2:4 pattern survives
  std::vector<float> scales;  // [rows]
  double relative_error = 0;  // |W - W^|^2 / |W|^2
};
// `weight` is [rows][columns]. With `clip` each row's scale is the one of least squared error; the largest weights may
// then be cut. Without, the largest weight is the largest code.
WeightCodes QuantizeRows(std::span<const float> weight, int64_t rows, bool clip);
// The nearest codes at scales that are given, one for each row.
WeightCodes QuantizeRowsAt(std::span<const float> weight, std::span<const float> scales);

}  // namespace tamis
