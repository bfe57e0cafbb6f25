#include "src/quantize/weight_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

double Code(double x, double scale) {
  return std::clamp(std::nearbyint(x / scale), -127.0, 127.0);
}

double SquaredError(std::span<const float> row, double scale) {
  double sum = 0;
  for (const float x : row) {
    const double error = x - scale * Code(x, scale);
    sum += error * error;
  }
  return sum;
}

}  // namespace

WeightCodes QuantizeRows(std::span<const float> weight, int64_t rows, bool clip) {
  constexpr double kLeastShare = 0.5, kStep = 0.02;
  WeightCodes result;
  const auto columns = rows > 0 ? weight.size() / static_cast<size_t>(rows) : 0;
  double squares = 0, errors = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto row = weight.subspan(static_cast<size_t>(r) * columns, columns);
    double largest = 0;
    for (const float x : row) {
      largest = std::max<double>(largest, std::abs(x));
      squares += static_cast<double>(x) * x;
    }
    float scale = static_cast<float>(largest / 127);
    if (!(scale > std::numeric_limits<float>::min())) scale = 1;
    double least = SquaredError(row, scale);
    for (double share = 1 - kStep; clip && share >= kLeastShare; share -= kStep) {
      const auto smaller = static_cast<float>(largest * share / 127);
      if (!(smaller > std::numeric_limits<float>::min())) break;
      const double error = SquaredError(row, smaller);
      if (error >= least) continue;
      least = error;
      scale = smaller;
    }
    errors += least;
    result.scales.push_back(scale);
    for (const float x : row) result.codes.push_back(static_cast<int8_t>(Code(x, scale)));
  }
  result.relative_error = squares > 0 ? errors / squares : 0;
  return result;
}

WeightCodes QuantizeRowsAt(std::span<const float> weight, std::span<const float> scales) {
  WeightCodes result;
  result.scales.assign(scales.begin(), scales.end());
  const size_t columns = scales.empty() ? 0 : weight.size() / scales.size();
  double squares = 0, errors = 0;
  for (size_t r = 0; r < scales.size(); ++r) {
    const auto row = weight.subspan(r * columns, columns);
    errors += SquaredError(row, scales[r]);
    for (const float x : row) {
      squares += static_cast<double>(x) * x;
      result.codes.push_back(static_cast<int8_t>(Code(x, scales[r])));
    }
  }
  result.relative_error = squares > 0 ? errors / squares : 0;
  return result;
}

}  // namespace tamis
