// Every 16-bit pattern through f32 and back, and the rounding of every value halfway between two neighbours.
#include "src/base/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tamis {
namespace {

struct Format {
  const char* name;
  float (*widen)(uint16_t);
  uint16_t (*narrow)(float);
  uint16_t infinity;
};

constexpr Format kHalf = {"float16", HalfToFloat, FloatToHalf, 0x7c00};
constexpr Format kBf16 = {"bfloat16", Bf16ToFloat, FloatToBf16, 0x7f80};

class Float16Test : public testing::TestWithParam<Format> {};

INSTANTIATE_TEST_SUITE_P(Formats, Float16Test, testing::Values(kHalf, kBf16),
                         [](const auto& info) { return std::string(info.param.name); });

// A pattern's value by the definition of the formats, in double.
double ValueOf(const Format& format, uint16_t bits) {
  const int mantissa_bits = format.infinity == 0x7c00 ? 10 : 7;
  const int bias = format.infinity == 0x7c00 ? 15 : 127;
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias - mantissa_bits)
                                         : std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST_P(Float16Test, EveryPatternRoundTrips) {
  const Format& format = GetParam();
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const auto bits = static_cast<uint16_t>(pattern);
    const float wide = format.widen(bits);
    if ((bits & 0x7fff) > format.infinity) {
      ASSERT_TRUE(std::isnan(wide)) << std::hex << bits;
      const uint16_t back = format.narrow(wide);
      ASSERT_GT(back & 0x7fff, format.infinity) << std::hex << bits;
      ASSERT_EQ(back & 0x8000, bits & 0x8000) << std::hex << bits;
      continue;
    }
    if ((bits & 0x7fff) == format.infinity) {
      ASSERT_TRUE(std::isinf(wide)) << std::hex << bits;
    } else {
      ASSERT_EQ(static_cast<double>(wide), ValueOf(format, bits)) << std::hex << bits;
    }
    ASSERT_EQ(std::signbit(wide), (bits & 0x8000) != 0) << std::hex << bits;
    ASSERT_EQ(format.narrow(wide), bits) << std::hex << bits;
  }
}

// Between neighbours a and b: the middle goes to the even pattern, the next f32 on either side to the nearer one. The
// neighbour of the largest finite value is the one that an unbounded exponent would give, and rounds to infinity.
TEST_P(Float16Test, TiesGoToEven) {
  const Format& format = GetParam();
  for (uint16_t low = 0; low < format.infinity; ++low) {
    const auto high = static_cast<uint16_t>(low + 1);
    const double a = ValueOf(format, low);
    const double b = ValueOf(format, high);
    const auto middle = static_cast<float>((a + b) / 2);
    ASSERT_EQ(static_cast<double>(middle), (a + b) / 2) << "the middle is exact in f32";
    const float below = std::nextafter(middle, 0.0f);
    const float above = std::nextafter(middle, std::numeric_limits<float>::infinity());
    const uint16_t even = low % 2 == 0 ? low : high;
    ASSERT_EQ(format.narrow(middle), even) << std::hex << low;
    ASSERT_EQ(format.narrow(below), low) << std::hex << low;
    ASSERT_EQ(format.narrow(above), high) << std::hex << low;
    ASSERT_EQ(format.narrow(-middle), even | 0x8000) << std::hex << low;
    ASSERT_EQ(format.narrow(-above), high | 0x8000) << std::hex << low;
  }
}

TEST_P(Float16Test, BeyondTheRange) {
  const Format& format = GetParam();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(format.narrow(infinity), format.infinity);
  EXPECT_EQ(format.narrow(std::numeric_limits<float>::max()), format.infinity);
  EXPECT_EQ(format.narrow(-std::numeric_limits<float>::max()), format.infinity | 0x8000);
  EXPECT_EQ(format.narrow(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(format.narrow(-std::numeric_limits<float>::denorm_min()), 0x8000);
}

}  // namespace
}  // namespace tamis
