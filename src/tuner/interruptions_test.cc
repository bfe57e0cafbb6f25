#include "src/tuner/interruptions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace tamis {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// More threads that compute than there are cores: the system takes these from them. Nothing is assumed about how often.
TEST(TimeSamples, SwitchesAreCountedWhereThreadsShareCores) {
  const int64_t before = InvoluntarySwitches();
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2 * std::max(1U, std::thread::hardware_concurrency()) + 1; ++i) {
    threads.emplace_back([&] {
      while (InvoluntarySwitches() < before + 3 && Clock::now() < deadline) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(InvoluntarySwitches(), before + 3);
}

// The threads wait for cores for about half of the time.
TEST(Interruptions, DisturbWhereThreadsWaitForCores) {
  std::atomic<bool> end = false;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 2 * std::max(1U, std::thread::hardware_concurrency()) + 1; ++i) {
    threads.emplace_back([&] {
      while (!end) {
      }
    });
  }
  Interruptions interruptions;
  const int64_t before = InvoluntarySwitches();
  interruptions.Begin();
  const auto start = Clock::now();
  while (InvoluntarySwitches() < before + 20 && SecondsSince(start) < 10) {
  }
  const double seconds = SecondsSince(start);
  EXPECT_TRUE(interruptions.Disturbed(seconds));
  EXPECT_EQ(interruptions.Disturbed(1e6 * seconds), !interruptions.KernelTells()) << "a run so long hardly notices";
  end = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tamis
