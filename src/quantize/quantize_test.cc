#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "src/quantize/balance.h"
#include "src/quantize/observer.h"
#include "src/quantize/weight_codes.h"

namespace tamis {
namespace {

std::vector<float> Normal(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& x : values) x = normal(generator);
  return values;
}

TEST(Histogram, GrowsWithoutLosingCounts) {
  Histogram histogram;
  histogram.Add(std::vector<float>{0.25f, -0.5f, 0.1f});
  histogram.Add(std::vector<float>{100, NAN, INFINITY, -3});
  EXPECT_EQ(histogram.count(), 5);
  EXPECT_EQ(histogram.not_finite(), 2);
  EXPECT_EQ(histogram.min(), -3);
  EXPECT_EQ(histogram.max(), 100);
  int64_t total = 0;
  double mean = 0;
  for (int64_t i = 0; i < Histogram::kBins; ++i) {
    const int64_t count = histogram.bins()[static_cast<size_t>(i)];
    total += count;
    mean += static_cast<double>(count) * histogram.Center(i);
  }
  EXPECT_EQ(total, 5);
  EXPECT_NEAR(mean, 96.85, 5 * histogram.width());
}

TEST(Histogram, ZerosAlone) {
  Histogram histogram;
  histogram.Add(std::vector<float>(10, 0.0f));
  EXPECT_EQ(histogram.count(), 10);
  for (Observer observer : {Observer::kMinMax, Observer::kPercentile, Observer::kMse, Observer::kEntropy}) {
    EXPECT_EQ(ChooseMap(histogram, DType::kUInt8, {observer}).scale, 1);
  }
}

TEST(Observers, EveryOneHasACodeForZero) {
  Histogram histogram;
  std::vector<float> values = Normal(20000, 1);
  for (float& x : values) x = std::abs(x) + 3;  // far from zero
  histogram.Add(values);
  for (Observer observer : {Observer::kMinMax, Observer::kPercentile, Observer::kMse, Observer::kEntropy}) {
    const CodeMap map = ChooseMap(histogram, DType::kUInt8, {observer});
    EXPECT_EQ(map.zero, 0) << Name(observer);
    EXPECT_GT(map.highest(), 3.5) << Name(observer);
    const CodeMap symmetric = ChooseMap(histogram, DType::kInt8, {observer});
    EXPECT_EQ(symmetric.zero, 0);
  }
}

TEST(Observers, ClipOutliersByTheirMeasure) {
  Histogram histogram;
  histogram.Add(Normal(100000, 2));
  histogram.Add(std::vector<float>{60});  // one value far beyond the others
  const CodeMap all = ChooseMap(histogram, DType::kUInt8, {Observer::kMinMax});
  EXPECT_GE(all.highest(), 59);
  EXPECT_EQ(ClippedShare(histogram, all), 0);
  const CodeMap percentile = ChooseMap(histogram, DType::kUInt8, {Observer::kPercentile, 99.9});
  EXPECT_LT(percentile.highest(), 5);
  const CodeMap mse = ChooseMap(histogram, DType::kUInt8, {Observer::kMse});
  for (const CodeMap& other : {all, percentile}) {
    EXPECT_LE(SquaredError(histogram, mse), SquaredError(histogram, other) * 1.0001);
  }
  for (uint32_t seed = 10; seed < 14; ++seed) histogram.Add(Normal(100000, seed));
  const CodeMap entropy = ChooseMap(histogram, DType::kUInt8, {Observer::kEntropy});
  EXPECT_LT(entropy.highest(), 30);
  EXPECT_GT(entropy.highest(), 2);
  EXPECT_FALSE(ParseObserver("best").ok());
}

TEST(WeightCodes, ZerosStayAndClippingNeverCostsMore) {
  std::vector<float> weight = Normal(8 * 64, 3);
  for (size_t i = 0; i < weight.size(); i += 2) weight[i] = 0;
  weight[1] = 20;  // an outlier in the first row
  const WeightCodes plain = QuantizeRows(weight, 8, false), clipped = QuantizeRows(weight, 8, true);
  EXPECT_LE(clipped.relative_error, plain.relative_error);
  double error = 0, squares = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    EXPECT_TRUE(weight[i] != 0 || clipped.codes[i] == 0) << i;
    const double back = static_cast<double>(clipped.scales[i / 64]) * clipped.codes[i];
    error += (weight[i] - back) * (weight[i] - back);
    squares += static_cast<double>(weight[i]) * weight[i];
  }
  EXPECT_NEAR(error / squares, clipped.relative_error, 1e-9);
}

TEST(WeightCodes, RowsOfZerosAndTinyNumbers) {
  const std::vector<float> weight = {0, 0, 1e-44f, 0, 1, -2};
  const WeightCodes codes = QuantizeRows(weight, 3, true);
  EXPECT_EQ(codes.scales[0], 1);
  EXPECT_EQ(codes.scales[1], 1);
  EXPECT_EQ(codes.codes[4], 64);
  EXPECT_EQ(codes.codes[5], -127);
}

// The expected error against that of rounding itself, in double, with and without the factors.
TEST(BalanceFactors, LowerTheErrorOfRounding) {
  constexpr int64_t kChannels = 16, kOutputs = 24, kRows = 4000;
  std::vector<float> x = Normal(kRows * kChannels, 21), w = Normal(kOutputs * kChannels, 22);
  for (size_t i = 0; i < x.size(); ++i) x[i] *= i % kChannels == 5 ? 40.0f : i % kChannels == 9 ? 0.0f : 1.0f;
  ChannelSizes sizes = {std::vector<double>(kChannels, 0), std::vector<double>(kChannels, 0)};
  for (size_t i = 0; i < x.size(); ++i) {
    const auto v = static_cast<double>(x[i]);
    sizes.largest[i % kChannels] = std::max(sizes.largest[i % kChannels], std::fabs(v));
    sizes.mean_square[i % kChannels] += v * v / kRows;
  }
  const std::vector<BalancedWeight> weights = {{w, kOutputs}};
  const Balance balance = ChooseBalance(sizes, weights);
  EXPECT_LT(balance.after, 0.3 * balance.before);
  EXPECT_EQ(balance.factors[9], 1);  // a channel that is always zero
  const auto error_with = [&](const std::vector<float>& factors) {
    double widest = 0;
    for (size_t i = 0; i < x.size(); ++i) widest = std::max<double>(widest, std::fabs(x[i] * factors[i % kChannels]));
    const double step = widest / 127;
    std::vector<float> scaled = w;
    for (size_t i = 0; i < scaled.size(); ++i) scaled[i] /= factors[i % kChannels];
    const WeightCodes codes = QuantizeRows(scaled, kOutputs, false);
    double error = 0, energy = 0;
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t n = 0; n < kOutputs; ++n) {
        double exact = 0, rounded = 0;
        for (int64_t j = 0; j < kChannels; ++j) {
          const auto at = static_cast<size_t>(n * kChannels + j);
          const double v = x[static_cast<size_t>(r * kChannels + j)];
          exact += v * w[at];
          rounded += step * std::nearbyint(v * factors[static_cast<size_t>(j)] / step) *
                     codes.scales[static_cast<size_t>(n)] * codes.codes[at];
        }
        error += (exact - rounded) * (exact - rounded);
        energy += exact * exact;
      }
    }
    return error / energy;
  };
  const double before = error_with(std::vector<float>(kChannels, 1)), after = error_with(balance.factors);
  EXPECT_NEAR(before / balance.before, 1, 0.3);
  // What is smaller than half a step loses less than a step's uniform error: the expectation is an upper bound there.
  EXPECT_LE(after, 1.1 * balance.after);
  EXPECT_LT(after, 0.3 * before);
  const Balance even = ChooseBalance({std::vector<double>(4, 1), std::vector<double>(4, 0.3)},
                                     std::vector<BalancedWeight>{{std::vector<float>(8, 0.5f), 2}});
  EXPECT_DOUBLE_EQ(even.after, even.before);
}

}  // namespace
}  // namespace tamis
