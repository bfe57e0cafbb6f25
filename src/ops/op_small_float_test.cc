#include "src/ops/op_small_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tamis {
namespace {

constexpr DType kTypes[] = {DType::kFloat8E4M3, DType::kFloat8E4M3Fnuz, DType::kFloat8E5M2, DType::kFloat8E5M2Fnuz,
                            DType::kFloat4E2M1};

int CodesOf(DType dtype) {
  return 1 << BitSize(dtype);
}

TEST(SmallFloat, EveryCodeSurvivesTheWayToDoubleAndBack) {
  for (const DType dtype : {kTypes[0], kTypes[1], kTypes[2], kTypes[3], kTypes[4], DType::kFloat8E8M0}) {
    for (int code = 0; code < CodesOf(dtype); ++code) {
      const double value = DecodeSmallFloat(dtype, static_cast<uint8_t>(code));
      const uint8_t back = EncodeSmallFloat(dtype, value, false);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(DecodeSmallFloat(dtype, back))) << Name(dtype) << " " << code;
      } else {
        EXPECT_EQ(back, code) << Name(dtype) << " " << value;
      }
    }
  }
}

TEST(SmallFloat, TakesTheNearestValueAndTheEvenOneOfTwo) {
  for (const DType dtype : kTypes) {
    for (int code = 0; code < CodesOf(dtype) / 2 - 1; ++code) {
      const double low = DecodeSmallFloat(dtype, static_cast<uint8_t>(code));
      const double high = DecodeSmallFloat(dtype, static_cast<uint8_t>(code + 1));
      if (!std::isfinite(low) || !std::isfinite(high)) continue;
      ASSERT_LT(low, high) << Name(dtype) << " " << code;
      EXPECT_EQ(EncodeSmallFloat(dtype, low + (high - low) * 0.49), code) << Name(dtype);
      EXPECT_EQ(EncodeSmallFloat(dtype, low + (high - low) * 0.51), code + 1) << Name(dtype);
      EXPECT_EQ(EncodeSmallFloat(dtype, (low + high) / 2), code % 2 == 0 ? code : code + 1) << Name(dtype);
    }
  }
}

TEST(SmallFloat, BeyondTheLargestValue) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const auto value = [](DType dtype, double x, bool saturate) {
    return DecodeSmallFloat(dtype, EncodeSmallFloat(dtype, x, saturate));
  };
  EXPECT_EQ(value(DType::kFloat8E4M3, kInf, true), 448);
  EXPECT_EQ(value(DType::kFloat8E4M3, -1e6, true), -448);
  EXPECT_TRUE(std::isnan(value(DType::kFloat8E4M3, 465, false)));
  EXPECT_EQ(value(DType::kFloat8E4M3, 464, false), 448);
  EXPECT_EQ(value(DType::kFloat8E5M2, 1e6, false), kInf);
  EXPECT_EQ(value(DType::kFloat8E5M2, 1e6, true), 57344);
  EXPECT_TRUE(std::isnan(value(DType::kFloat8E5M2Fnuz, -1e6, false)));
  EXPECT_EQ(value(DType::kFloat8E4M3Fnuz, -kInf, true), -240);
  EXPECT_EQ(value(DType::kFloat4E2M1, -9, false), -6);
  EXPECT_EQ(value(DType::kFloat4E2M1, std::nan(""), true), 0);
}

TEST(SmallFloat, TheFnuzTypesHaveOneZero) {
  EXPECT_EQ(EncodeSmallFloat(DType::kFloat8E4M3Fnuz, -0.0), 0);
  EXPECT_EQ(EncodeSmallFloat(DType::kFloat8E5M2Fnuz, -1e-9), 0);
  EXPECT_EQ(EncodeSmallFloat(DType::kFloat8E4M3, -0.0), 0x80);
}

TEST(SmallFloat, ScalesRoundAsAsked) {
  const auto value = [](double x, ScaleRounding rounding) {
    return DecodeSmallFloat(DType::kFloat8E8M0, EncodeSmallFloat(DType::kFloat8E8M0, x, true, rounding));
  };
  EXPECT_EQ(value(5, ScaleRounding::kUp), 8);
  EXPECT_EQ(value(5, ScaleRounding::kDown), 4);
  EXPECT_EQ(value(5, ScaleRounding::kNearest), 4);
  EXPECT_EQ(value(6, ScaleRounding::kNearest), 8);
  EXPECT_EQ(value(4, ScaleRounding::kUp), 4);
  EXPECT_EQ(value(3e38, ScaleRounding::kUp), 0x1p127);
}

}  // namespace
}  // namespace tamis
