#include "src/compiler/measure/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace tamis {
namespace {

TEST(Bootstrap, TheMeansIntervalIsTheNormalOneForManyValues) {
  constexpr uint64_t kSeed = 7;
  RecordProperty("seed", kSeed);
  std::mt19937_64 random(kSeed);
  std::normal_distribution<float> normal(3, 2);
  std::vector<float> values(2000);
  for (float& value : values) value = normal(random);
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double square = 0;
  for (const float value : values) square += (value - mean) * (value - mean);
  const double error = std::sqrt(square / n / n);
  const Interval interval = MeanInterval(values, {});
  // A percentile at 2.5 % of 10,000 means lies within 5 of its own standard errors: sqrt(p (1 - p) / 10,000) over the
  // density there, which is 0.0267 standard errors of the mean.
  EXPECT_NEAR(interval.low, mean - 1.96 * error, 5 * 0.027 * error);
  EXPECT_NEAR(interval.high, mean + 1.96 * error, 5 * 0.027 * error);
}

TEST(Bootstrap, TheSameSeedGivesTheSameInterval) {
  const std::vector<float> values = {1, 5, 2, 8, 4, 4};
  const Interval first = MeanInterval(values, {.seed = 3}), second = MeanInterval(values, {.seed = 3});
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
  EXPECT_GE(first.low, 1);
  EXPECT_LE(first.high, 8);
}

// The interval must cover the true difference about as often as it says, for few samples too.
TEST(Bootstrap, PairedSharesAreCovered) {
  constexpr uint64_t kSeed = 11;
  constexpr int kTrials = 400, kSamples = 60;
  RecordProperty("seed", kSeed);
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<double> uniform;
  constexpr double kLost = 0.06, kWon = 0.02;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<float> differences(kSamples, 0);
    for (float& difference : differences) {
      const double draw = uniform(random);
      difference = draw < kLost ? 1 : draw < kLost + kWon ? -1 : 0;
    }
    const Interval interval = PairedShareInterval(differences, {.seed = random(), .resamples = 400});
    covered += interval.low <= kLost - kWon && kLost - kWon <= interval.high ? 1 : 0;
  }
  // 95 % of 400 is 380 with a standard deviation of 4.4; below 90 % the interval would be wrong.
  EXPECT_GE(covered, 360);
}

TEST(Bootstrap, NoDifferenceOnFewSamplesIsNoProof) {
  const std::vector<float> same(10, 0);
  const Interval few = PairedShareInterval(same, {});
  EXPECT_GT(few.high, 0.1);
  EXPECT_LT(few.low, -0.1);
  const std::vector<float> many(10'000, 0);
  EXPECT_LT(PairedShareInterval(many, {.resamples = 500}).high, 0.0005);
}

TEST(Bootstrap, TheMediansIntervalHoldsTheMedianAndIgnoresAnOutlier) {
  const std::vector<float> values = {0.5F, 0.51F, 0.49F, 0.5F, 0.52F, 0.48F, 0.5F, 30.0F, 0.5F};
  const Interval interval = MedianInterval(values, {});
  EXPECT_GE(interval.low, 0.48);
  EXPECT_LE(interval.high, 0.52);
}

TEST(Bootstrap, NothingGivesNothing) {
  EXPECT_EQ(MeanInterval({}, {}).high, 0);
  EXPECT_EQ(MedianInterval({}, {}).high, 0);
}

}  // namespace
}  // namespace tamis
