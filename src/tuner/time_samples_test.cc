#include "src/tuner/time_samples.h"

#include <gtest/gtest.h>

#include "src/tuner/timing_cache.h"

namespace tamis {
namespace {

TEST(TimeSamples, RunsThatWereInterruptedDoNotCountWhereOthersWereNot) {
  TimeSamples samples;
  for (const double seconds : {5., 1., 4., 2., 3.}) samples.Add(seconds, false);
  for (int i = 0; i < 100; ++i) samples.Add(50 + i, true);
  TimedKernel result;
  samples.Write(&result);
  EXPECT_EQ(result.seconds, 3);
  EXPECT_EQ(result.samples, 5);
  EXPECT_NEAR(result.spread, (4. - 2.) / 3, 1e-12);
}

TEST(TimeSamples, WhereTooFewWereLeftAloneAllCountAndTheProblemIsTimedAgain) {
  TimeSamples samples;
  for (size_t i = 0; i + 1 < TimeSamples::kLeast; ++i) samples.Add(1, false);
  for (int i = 0; i < 9; ++i) samples.Add(2, true);
  TimedKernel result;
  samples.Write(&result);
  EXPECT_EQ(result.seconds, 2);
  EXPECT_EQ(result.samples, static_cast<int64_t>(TimeSamples::kLeast) - 1 + 9);
  EXPECT_EQ(result.spread, TimeSamples::kUnsettled);
  TimingEntry entry;
  entry.kernels["k"] = result;
  EXPECT_TRUE(entry.Noisy());
}

TEST(TimeSamples, OfLongRunsFewerAreEnough) {
  TimeSamples samples;
  samples.AreLong();
  for (size_t i = 0; i + 1 < TimeSamples::kLeastOfLong; ++i) samples.Add(2, false);
  for (int i = 0; i < 9; ++i) samples.Add(5, true);
  EXPECT_FALSE(samples.Enough());
  samples.Add(2, false);
  EXPECT_TRUE(samples.Enough());
  TimedKernel result;
  samples.Write(&result);
  EXPECT_EQ(result.seconds, 2);
  EXPECT_EQ(result.samples, static_cast<int64_t>(TimeSamples::kLeastOfLong));
}

}  // namespace
}  // namespace tamis
