#include "src/ops/op_small_float.h"

#include <bit>
#include <cmath>
#include <limits>

#include "tamis/status.h"

namespace tamis {
namespace {

struct Format {
  int mantissa;
  int bias;
  double largest;
  uint8_t largest_code;
  uint8_t infinity_code;  // 0: none
  uint8_t nan_code;       // 0: none
  uint8_t sign;
  bool unsigned_zero;  // the "fnuz" types, whose only NaN has the code of -0
};

const Format& FormatOf(DType dtype) {
  static constexpr Format kE4M3{3, 7, 448, 0x7e, 0, 0x7f, 0x80, false};
  static constexpr Format kE4M3Fnuz{3, 8, 240, 0x7f, 0, 0x80, 0x80, true};
  static constexpr Format kE5M2{2, 15, 57344, 0x7b, 0x7c, 0x7e, 0x80, false};
  static constexpr Format kE5M2Fnuz{2, 16, 57344, 0x7f, 0, 0x80, 0x80, true};
  static constexpr Format kE2M1{1, 1, 6, 0x7, 0, 0, 0x8, false};
  switch (dtype) {
    case DType::kFloat8E4M3:
      return kE4M3;
    case DType::kFloat8E4M3Fnuz:
      return kE4M3Fnuz;
    case DType::kFloat8E5M2:
      return kE5M2;
    case DType::kFloat8E5M2Fnuz:
      return kE5M2Fnuz;
    default:
      TAMIS_ASSERT(dtype == DType::kFloat4E2M1);
      return kE2M1;
  }
}

// The exponent field of an f32 is the code: 2^(code - 127), and 255 is NaN.
uint8_t EncodeScale(double value, bool saturate, ScaleRounding rounding) {
  const auto narrow = static_cast<float>(std::abs(value));
  if (std::isnan(narrow)) return 0xff;
  if (std::isinf(narrow)) return saturate ? 0xfe : 0xff;
  if (!saturate && narrow < 0x1p-127f) return 0xff;
  const auto bits = std::bit_cast<uint32_t>(narrow);
  const uint32_t exponent = bits >> 23;
  // What is above the code's power of two, against the distance to the next. Code 0 is a subnormal f32, 2^-127.
  constexpr uint32_t kHalf = 0x400000;
  const uint32_t fraction = bits & 0x7fffff;
  const uint32_t above = exponent > 0 ? fraction : fraction > kHalf ? (fraction - kHalf) * 2 : 0;
  bool up = rounding == ScaleRounding::kUp && above != 0;
  if (rounding == ScaleRounding::kNearest) up = above >= kHalf;
  if (exponent == 0xfe && saturate) up = false;
  return static_cast<uint8_t>(exponent + (up ? 1 : 0));
}

}  // namespace

bool IsSmallFloat(DType dtype) {
  return IsFloat(dtype) && BitSize(dtype) <= 8;
}

double DecodeSmallFloat(DType dtype, uint8_t code) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (dtype == DType::kFloat8E8M0) return code == 0xff ? kNaN : std::ldexp(1.0, code - 127);
  const Format& format = FormatOf(dtype);
  const auto magnitude = static_cast<uint8_t>(code & (format.sign - 1));
  const bool negative = (code & format.sign) != 0;
  if (format.unsigned_zero && code == format.nan_code) return kNaN;
  if (!format.unsigned_zero && magnitude > format.largest_code) {
    if (format.infinity_code != 0 && magnitude == format.infinity_code) {
      return negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    }
    return kNaN;
  }
  const int exponent = magnitude >> format.mantissa;
  const int fraction = magnitude & ((1 << format.mantissa) - 1);
  const int units = exponent == 0 ? fraction : fraction + (1 << format.mantissa);
  const double value = std::ldexp(units, (exponent == 0 ? 1 : exponent) - format.bias - format.mantissa);
  return negative ? -value : value;
}

uint8_t EncodeSmallFloat(DType dtype, double value, bool saturate, ScaleRounding rounding) {
  if (dtype == DType::kFloat8E8M0) return EncodeScale(value, saturate, rounding);
  const Format& format = FormatOf(dtype);
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? format.sign : 0);
  if (std::isnan(value)) {
    if (format.unsigned_zero) return format.nan_code;
    if (format.nan_code == 0) return format.sign;
    return static_cast<uint8_t>(sign | format.nan_code);
  }
  const double magnitude = std::abs(value);
  const int smallest = 1 - format.bias;  // exponent of the smallest normal value
  double rounded = magnitude;
  if (magnitude > 0 && std::isfinite(magnitude)) {
    const double quantum = std::ldexp(1.0, std::max(std::ilogb(magnitude), smallest) - format.mantissa);
    rounded = std::nearbyint(magnitude / quantum) * quantum;
  }
  if (rounded > format.largest) {
    if (saturate || format.nan_code == 0) return static_cast<uint8_t>(sign | format.largest_code);
    if (format.unsigned_zero) return format.nan_code;
    return static_cast<uint8_t>(sign | (format.infinity_code != 0 ? format.infinity_code : format.nan_code));
  }
  if (rounded == 0) return format.unsigned_zero ? uint8_t{0} : sign;
  const int exponent = std::max(std::ilogb(rounded), smallest);
  const auto units = static_cast<int>(std::ldexp(rounded, format.mantissa - exponent));
  const int code = units < (1 << format.mantissa) ? units : ((exponent - smallest) << format.mantissa) + units;
  return static_cast<uint8_t>(sign | code);
}

}  // namespace tamis
