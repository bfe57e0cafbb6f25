#include "src/kernels/quantized/affine_table.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis {
namespace {

int CodeAt(const CodeTable& table, DType dtype, int code) {
  const uint8_t byte = table.codes[static_cast<uint8_t>(code)];
  return dtype == DType::kInt8 ? static_cast<int8_t>(byte) : static_cast<int>(byte);
}

// Factors for which no code comes out otherwise, as numbers.
struct Interval {
  double low = 0, high = std::numeric_limits<double>::infinity();

  // distance * factor must be at least (at most) `limit`.
  void AtLeast(int distance, double limit) {
    if (distance > 0) low = std::max(low, limit / distance);
    if (distance < 0) high = std::min(high, limit / distance);
  }
  void AtMost(int distance, double limit) { AtLeast(-distance, -limit); }
};

}  // namespace

std::optional<AffineTable> AsAffine(const CodeTable& table, DType dtype, int zero, int lowest, int highest) {
  if (zero < lowest || zero > highest) return std::nullopt;
  AffineTable line;
  line.offset = CodeAt(table, dtype, zero);
  line.lowest = CodeAt(table, dtype, lowest);
  line.highest = CodeAt(table, dtype, highest);
  Interval factors;
  for (int code = lowest; code <= highest; ++code) {
    const int y = CodeAt(table, dtype, code);
    if (y > line.lowest) factors.AtLeast(code - zero, y - line.offset - 0.5);
    if (y < line.highest) factors.AtMost(code - zero, y - line.offset + 0.5);
  }
  if (!(factors.low <= factors.high)) return std::nullopt;
  // A line that is flat everywhere fits any.
  line.factor =
      static_cast<float>(std::isinf(factors.high) ? std::max(factors.low, 1.0) : (factors.low + factors.high) / 2);
  if (!(line.factor > 0) || line.factor > 256) return std::nullopt;
  for (int code = lowest; code <= highest; ++code) {
    const int y = static_cast<int>(std::nearbyint(static_cast<float>(code - zero) * line.factor)) + line.offset;
    if (std::clamp(y, line.lowest, line.highest) != CodeAt(table, dtype, code)) return std::nullopt;
  }
  return line;
}

}  // namespace tamis
