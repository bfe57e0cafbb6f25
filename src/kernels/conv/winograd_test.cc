// The matrices of Winograd's method: products of transformed numbers are the convolution, along one axis and two.
#include "src/kernels/conv/winograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tamis::winograd {
namespace {

constexpr unsigned kSeed = 41;

TEST(Winograd, ProductsOfPlacesAreTheConvolution) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  std::normal_distribution<double> normal;
  std::array<double, kReach> input = {};
  std::array<double, 3> weight = {};
  for (double& v : input) v = normal(random);
  for (double& v : weight) v = normal(random);
  const auto inputs = InputMatrix();
  const auto weights = WeightMatrix();
  const auto results = ResultMatrix();
  for (size_t i = 0; i < kTile; ++i) {
    double sum = 0, direct = 0;
    for (size_t p = 0; p < kReach; ++p) {
      double x = 0, w = 0;
      for (size_t k = 0; k < kReach; ++k) x += inputs[p][k] * input[k];
      for (size_t k = 0; k < 3; ++k) w += weights[p][k] * weight[k];
      sum += results[i][p] * x * w;
    }
    for (size_t k = 0; k < 3; ++k) direct += input[i + k] * weight[k];
    EXPECT_NEAR(sum, direct, 1e-13) << "result " << i;
  }
}

// The bound that tests of kernels build on is of these points, not of some others.
TEST(Winograd, GrowthIsThatOfThePoints) {
  EXPECT_NEAR(Growth(), 24.9, 0.01);
}

TEST(Winograd, WeightsAreTransformedPlaceByPlace) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  std::normal_distribution<float> normal;
  Tensor weight(DType::kFloat32, {33, 3, 3, 5});
  for (float& v : weight.Span<float>()) v = normal(random);
  Operand operand = {DType::kFloat32, weight.dims(), &weight, 77, Pattern::kDense};
  PackCache cache;
  const auto packed = WinogradWeight(cache, operand);
  ASSERT_TRUE(packed.ok()) << packed.status().message();
  const auto matrix = WeightMatrix();
  EXPECT_EQ((*packed)->panels(), kPlaces * 2);
  for (const int64_t output : {0, 31, 32}) {
    for (const int64_t c : {0, 4}) {
      for (int64_t place = 0; place < kPlaces; ++place) {
        double expected = 0;
        for (int64_t i = 0; i < 9; ++i) {
          expected += matrix[static_cast<size_t>(place / kReach)][static_cast<size_t>(i / 3)] *
                      matrix[static_cast<size_t>(place % kReach)][static_cast<size_t>(i % 3)] *
                      static_cast<double>(weight.Data<float>()[(output * 9 + i) * 5 + c]);
        }
        const auto* values = reinterpret_cast<const float*>((*packed)->values(place * 2 + output / 32));
        const auto got = static_cast<double>(values[(c / 4 * 4 + c % 4) * 32 + output % 32]);
        EXPECT_NEAR(got, expected, 1e-6 * std::max(1.0, std::abs(expected)))
            << "output " << output << " channel " << c << " place " << place;
      }
    }
  }
}

}  // namespace
}  // namespace tamis::winograd
