#include "src/tuner/time_samples.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

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

// More threads that compute than there are cores: the system takes these from them. Nothing is assumed about how often.
TEST(TimeSamples, SwitchesAreCountedWhereThreadsShareCores) {
  const int64_t before = InvoluntarySwitches();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency() + 1; ++i) {
    threads.emplace_back([&] {
      while (InvoluntarySwitches() < before + 3 && std::chrono::steady_clock::now() < deadline) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(InvoluntarySwitches(), before + 3);
}

}  // namespace
}  // namespace tamis
