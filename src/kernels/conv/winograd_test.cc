// The matrices of Winograd's method: products of transformed numbers are the convolution, along one axis and two.
#include "src/kernels/conv/winograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "src/base/float16.h"

namespace tamis::winograd {
namespace {

constexpr unsigned kSeed = 41;

class WinogradMethods : public testing::TestWithParam<Method> {};

TEST_P(WinogradMethods, ProductsOfPlacesAreTheConvolution) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const Method& method = GetParam();
  const auto reach = static_cast<size_t>(method.Reach());
  std::mt19937 random(kSeed);
  std::normal_distribution<double> normal;
  std::vector<double> input(reach), weight(3);
  for (double& v : input) v = normal(random);
  for (double& v : weight) v = normal(random);
  const Matrix inputs = InputMatrix(method), weights = WeightMatrix(method), results = ResultMatrix(method);
  for (size_t i = 0; i < results.size(); ++i) {
    double sum = 0, direct = 0;
    for (size_t p = 0; p < reach; ++p) {
      double x = 0, w = 0;
      for (size_t k = 0; k < reach; ++k) x += inputs[p][k] * input[k];
      for (size_t k = 0; k < 3; ++k) w += weights[p][k] * weight[k];
      sum += results[i][p] * x * w;
    }
    for (size_t k = 0; k < 3; ++k) direct += input[i + k] * weight[k];
    EXPECT_NEAR(sum, direct, 1e-13) << "result " << i;
  }
}

TEST_P(WinogradMethods, WeightsAreTransformedPlaceByPlace) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  const Method& method = GetParam();
  const int64_t reach = method.Reach();
  std::mt19937 random(kSeed);
  std::normal_distribution<float> normal;
  Tensor weight(DType::kFloat32, {33, 3, 3, 5});
  for (float& v : weight.Span<float>()) v = normal(random);
  const Operand operand = {DType::kFloat32, weight.dims(), &weight, 77, Pattern::kDense};
  PackCache cache;
  const Matrix matrix = WeightMatrix(method);
  for (const DType multiplied : {DType::kFloat32, DType::kBFloat16}) {
    const bool bf16 = multiplied == DType::kBFloat16;
    const auto packed = WinogradWeight(cache, operand, method, multiplied);
    ASSERT_TRUE(packed.ok()) << packed.status().message();
    EXPECT_EQ((*packed)->panels(), method.Places() * 2);
    for (const int64_t output : {0, 31, 32}) {
      for (const int64_t c : {0, 4}) {
        for (int64_t place = 0; place < method.Places(); ++place) {
          double expected = 0;
          for (int64_t i = 0; i < 9; ++i) {
            expected += matrix[static_cast<size_t>(place / reach)][static_cast<size_t>(i / 3)] *
                        matrix[static_cast<size_t>(place % reach)][static_cast<size_t>(i % 3)] *
                        static_cast<double>(weight.Data<float>()[(output * 9 + i) * 5 + c]);
          }
          const std::byte* const values = (*packed)->values(place * 2 + output / 32);
          const int64_t lane = output % 32;
          // bf16 has two inputs side by side in a lane.
          const double got = bf16 ? static_cast<double>(Bf16ToFloat(
                                        reinterpret_cast<const uint16_t*>(values)[c / 2 * 64 + lane * 2 + c % 2]))
                                  : static_cast<double>(reinterpret_cast<const float*>(values)[c * 32 + lane]);
          EXPECT_NEAR(got, expected, (bf16 ? 0x1p-8 : 1e-6) * std::max(1.0, std::abs(expected)))
              << "output " << output << " channel " << c << " place " << place;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, WinogradMethods, testing::Values(kTilesOfFour, kTilesOfTwo),
                         [](const auto& info) { return "Tile" + std::to_string(info.param.tile); });

// The bounds that tests of kernels build on are of these points, not of some others.
TEST(Winograd, GrowthIsThatOfThePoints) {
  EXPECT_NEAR(Growth(kTilesOfFour), 24.9, 0.01);
  EXPECT_EQ(Growth(kTilesOfTwo), 8);
}

}  // namespace
}  // namespace tamis::winograd
