#include "src/engine/sparse_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace tamis {
namespace {

template <class T>
void RoundTrip(uint64_t rows, uint64_t row_elements, uint32_t seed) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed << ", " << rows << "x" << row_elements << " of " << sizeof(T));
  std::mt19937 random(seed);
  std::vector<T> weight(rows * row_elements);
  for (uint64_t row = 0; row < rows; ++row) {
    for (uint64_t at = 0; at < row_elements; at += 4) {
      for (unsigned kept = 0, i; kept < random() % 3; ++kept) {
        i = random() % 4;
        if (at + i < row_elements) weight[row * row_elements + at + i] = static_cast<T>(random() | 1);
      }
    }
  }
  const SparseShape shape{rows, row_elements, sizeof(T)};
  const auto encoded = EncodeTwoFour(weight.data(), shape, false);
  ASSERT_TRUE(encoded.has_value());
  EXPECT_EQ(encoded->size(), shape.EncodedBytes());
  std::vector<T> decoded(weight.size());
  DecodeTwoFour(encoded->data(), shape, 0, rows / 2, decoded.data());
  DecodeTwoFour(encoded->data(), shape, rows / 2, rows, decoded.data());
  EXPECT_EQ(decoded, weight);
}

TEST(SparseCodec, RoundTripsEveryElementSizeAndTail) {
  for (uint64_t row_elements : {1, 2, 3, 4, 5, 6, 7, 8, 63, 64}) {
    for (uint64_t rows : {1, 2, 5, 17}) {
      const auto seed = static_cast<uint32_t>(row_elements * 100 + rows);
      RoundTrip<uint8_t>(rows, row_elements, seed);
      RoundTrip<uint16_t>(rows, row_elements, seed);
      RoundTrip<uint32_t>(rows, row_elements, seed);
    }
  }
}

TEST(SparseCodec, HalfPrecisionTakesTheStatedShare) {
  const SparseShape shape{64, 64, 2};
  EXPECT_EQ(shape.EncodedBytes() * 10000 / shape.DecodedBytes(), 5625u);
}

TEST(SparseCodec, RefusesAThirdNonZero) {
  const float three[4] = {1, 0, 2, 3};
  EXPECT_FALSE(EncodeTwoFour(three, {1, 4, 4}, true).has_value());
}

TEST(SparseCodec, KeepsANegativeZeroWhereThereIsRoom) {
  const float weights[8] = {1, -0.0f, 0, 0, 1, -0.0f, 2, 0};
  const SparseShape shape{1, 8, 4};
  const auto encoded = EncodeTwoFour(weights, shape, true);
  ASSERT_TRUE(encoded.has_value());
  float decoded[8] = {};
  DecodeTwoFour(encoded->data(), shape, 0, 1, decoded);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(decoded[i], weights[i]);
  EXPECT_TRUE(std::signbit(decoded[1]));
  EXPECT_FALSE(std::signbit(decoded[5]));
}

TEST(SparseCodec, DamagedCodesStayInsideTheRows) {
  const SparseShape shape{3, 5, 4};
  const std::vector<uint8_t> encoded(shape.EncodedBytes(), 0xff);
  std::vector<uint32_t> decoded(17, 7);
  DecodeTwoFour(encoded.data(), shape, 1, 2, decoded.data() + 1);
  for (size_t i = 0; i < 17; ++i) {
    if (i >= 6 && i < 11) continue;
    EXPECT_EQ(decoded[i], 7u) << i;
  }
}

}  // namespace
}  // namespace tamis
