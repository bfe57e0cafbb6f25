#include "src/runtime/limited_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tamis {
namespace {

using Pool = LimitedPool<int>;
bool Never(const Status&) {
  return false;
}
bool Always(const Status&) {
  return true;
}
// Until `count` threads have had time to wait in the pool: there is no way to see them, so the check is of order only.
void LetThemWait() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

TEST(LimitedPool, MakesNoMoreThanItMayHoweverManyTake) {
  Pool pool(3);
  std::atomic<int> made = 0, out = 0, most_out = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 12; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        auto taken = pool.Take([&]() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(made++); }, Never);
        ASSERT_TRUE(taken.ok());
        const int now = ++out;
        for (int seen = most_out; seen < now && !most_out.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --out;
        pool.GiveBack(std::move(taken).value());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(made, 3);
  EXPECT_LE(most_out, 3);
  EXPECT_EQ(pool.free().size(), static_cast<size_t>(made));
}

TEST(LimitedPool, WhoHasWaitedLongestIsNext) {
  Pool pool(1);
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto held = pool.Take(make, Never);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto taken = pool.Take(make, Never);
      {
        const std::lock_guard lock(mutex);
        order.push_back(t);
      }
      pool.GiveBack(std::move(taken).value());
    });
    LetThemWait();
  }
  pool.GiveBack(std::move(held).value());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(LimitedPool, WithoutMemoryForOneMoreItWaitsForThoseThereAre) {
  Pool pool(4);
  auto first = pool.Take([]() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(1); }, Always);
  std::atomic<bool> got = false;
  std::thread other([&] {
    auto taken = pool.Take([]() -> Result<std::unique_ptr<int>> { return RuntimeError("full"); }, Always);
    got = taken.ok() && **taken == 1;
    pool.GiveBack(std::move(taken).value());
  });
  LetThemWait();
  EXPECT_FALSE(got);
  pool.GiveBack(std::move(first).value());
  other.join();
  EXPECT_TRUE(got);
}

TEST(LimitedPool, TheErrorIsReturnedWhereNoneIsLeftToWaitFor) {
  Pool pool(4);
  const auto fails = []() -> Result<std::unique_ptr<int>> { return RuntimeError("full"); };
  EXPECT_FALSE(pool.Take(fails, Always).ok());
  EXPECT_FALSE(pool.Take(fails, Never).ok());
  // The only one is lost while another waits for it.
  auto only = pool.Take([]() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(1); }, Never);
  std::string message;
  std::thread other([&] { message = pool.Take(fails, Always).status().message(); });
  LetThemWait();
  pool.GiveBack(nullptr);
  other.join();
  EXPECT_EQ(message, "full");
}

TEST(LimitedPool, WhoWaitsMakesOneWhereAnotherIsLost) {
  Pool pool(1);
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
  auto held = pool.Take(make, Never);
  int got = 0;
  std::thread other([&] {
    auto taken = pool.Take(make, Never);
    got = **taken;
    pool.GiveBack(std::move(taken).value());
  });
  LetThemWait();
  pool.GiveBack(nullptr);
  other.join();
  EXPECT_EQ(got, 5);
}

}  // namespace
}  // namespace tamis
